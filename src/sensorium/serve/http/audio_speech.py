"""``POST /v1/audio/speech``: words said aloud, sent while the model speaks."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, field_validator

from sensorium.generate import plan
from sensorium.generate.spoken import AUDIO, saying, speaking
from sensorium.modalities import modality
from sensorium.serve.http.audio_chat import check_voice
from sensorium.serve.http.audio_files import Raw, SoundFile, Wav, Whole
from sensorium.serve.http.audio_listening import queued, total
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import Name, String
from sensorium.serve.http.parameters import ANYBODY, Parameters, Refused
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.schemas import Asked
from sensorium.serve.http.server import AnswerStream, EventStream, Server, Shared, started_at
from sensorium.serve.media.messages import formats_of
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Writing
from sensorium.serve.writing.unfolded import Unfolded
from sensorium.types import Conversation, InputError, Signal

router = APIRouter(route_class=JsonRoute)
LONGEST_INPUT = 4096
PCM = "pcm"
PARAMETERS = Parameters(
    harmless=ANYBODY,
    refused={
        "instructions": Refused("the models here say words in a way of their own", neutral=("",)),
    },
)
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound, piece by piece where it can be, or events that hold it.",
        "content": {kind: {} for kind in ("audio/*", "text/event-stream")},
    }
}


class VoiceId(BaseModel):
    id: Name


class SpeechRequest(Asked):
    """Words to be said aloud.

    ``response_format`` is ``pcm`` (16-bit numbers at 24 kHz), or any kind of file that sound is written to here.
    """

    parameters: ClassVar[Parameters] = PARAMETERS
    input: String = Field(min_length=1, max_length=LONGEST_INPUT)
    model: Name | None = Field(None, description="Default: the first model that writes sound.")
    voice: Name | VoiceId | None = None
    response_format: Name | None = Field(None, description="Default: mp3, or wav where that is not written.")
    speed: float | None = 1.0
    stream_format: Literal["audio", "sse"] | None = "audio"

    @field_validator("speed")
    @classmethod
    def _check_speed(cls, speed: float | None) -> float | None:
        if speed not in (None, 1):
            raise wrong("speed", "unsupported parameter: 'speed' is 1 here; leave it out", "unsupported_parameter")
        return speed


@router.post("/v1/audio/speech", response_class=Response, responses=CONTENT)
async def speech(body: SpeechRequest, request: Request, server: Shared) -> Response:
    """Say words aloud."""
    served = _who_speaks(body.model, server)
    check_voice(body.voice.model_dump() if isinstance(body.voice, VoiceId) else body.voice, "voice")
    format_ = _format(body.response_format)
    requests = await served.at_desk(saying, served.model, body.input)
    speaking = Speaking(request, server, served, requests, body)
    file = _file(format_, streams=speaking.streams or len(requests) > 1)
    pieces = _bytes(speaking, file, served)
    first = await server.finish(request, _first(pieces))  # what is refused is refused before the answer begins
    if body.stream_format == "sse":
        return EventStream(speaking, _events(speaking, _with(first, pieces)))
    return AnswerStream(speaking, _with(first, pieces), file.media_type)


def _who_speaks(name: str | None, server: Server) -> Served:
    """Raises ApiError: 404, no such model; 400, it does not write sound, or none here does."""
    if name is None:
        for served in server.registry:
            if AUDIO in served.writes:
                return served
        raise wrong("model", "none of the models here writes sound", "unsupported_value")
    served = server.registry.get(name)
    try:
        served.model.vocabulary.writer(AUDIO)
    except InputError as error:
        raise wrong("model", str(error), "unsupported_value") from error
    return served


def _format(asked: str | None) -> str:
    known = modality(AUDIO).suffixes
    if asked is None:
        return "mp3" if ".mp3" in known else "wav"
    if asked != PCM and f".{asked}" not in known:
        message = f"sound is not written in the format {asked[:40]!r}; its formats: {formats_of(AUDIO)}, {PCM}"
        raise wrong("response_format", message, "unsupported_value")
    return asked


def _file(format_: str, streams: bool) -> SoundFile:
    if format_ == PCM:
        return Raw()
    return Wav() if format_ == "wav" and streams else Whole(modality(AUDIO).suffixes[f".{format_}"])


class Speaking:
    """A text in the course of being said, phrase by phrase.

    Args:
        requests: to say each phrase.

    Attributes:
        deadline: `time.monotonic` at which it is given up.
        usage: of what is written so far.
    """

    def __init__(
        self, request: Request, server: Server, served: Served, requests: list[Conversation], body: SpeechRequest
    ):
        self._request, self._server, self._served = request, server, served
        self._requests, self._attempt = requests, body.attempt
        self._sampling = body.sampling() | {"most": server.settings.max_tokens}
        self._unfolded = Unfolded(served, server.metrics, AUDIO, started_at(request))
        self._writing: Writing | None = None
        self.deadline, self.usage = started_at(request) + server.settings.request_s, total([])

    @property
    def streams(self) -> bool:
        return self._unfolded.streams

    async def sounds(self) -> AsyncIterator[Signal]:
        """Pieces of the sound, as they are written."""
        try:
            for number, request in enumerate(self._requests):
                asked = partial(speaking, self._served.model, request, **self._sampling)
                turn = plan(await self._served.at_desk(asked), 1, attempt=self._attempt).turn
                self._writing = await queued(self._request, self._server, self._served, [turn], begun=number > 0)
                async for step in self._writing.steps():
                    piece = await self._unfolded.feed(step)
                    if piece is not None and piece.signal is not None:
                        yield piece.signal
                usage = self._writing.usage()
                self._server.metrics.count(self._served.name, usage)
                self.usage = total([self.usage, usage])
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Stop writing."""
        if self._writing is not None:
            self._writing.cancel()


async def _bytes(speaking: Speaking, file: SoundFile, served: Served) -> AsyncIterator[bytes]:
    async for signal in speaking.sounds():
        if found := await served.at_desk(file.add, signal):
            yield found
    if found := await served.at_desk(file.end):
        yield found


async def _first(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces, b"")


async def _with(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


async def _events(speaking: Speaking, pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """As OpenAI has them."""
    async for piece in pieces:
        yield {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode("ascii")}
    usage = speaking.usage
    counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    yield {"type": "speech.audio.done", "usage": counts | {"total_tokens": usage.total_tokens}}
