"""``POST /v1/audio/transcriptions`` and ``/translations``: what is said in a recording, as text or subtitles."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Literal, Self

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, model_validator

from sensorium.engines import Token
from sensorium.generate.spoken import reader_of, text_of
from sensorium.modalities.subtitles import Segment, srt, vtt
from sensorium.serve.http.audio_listening import Listening, Told, at_once
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import Name, String
from sensorium.serve.http.forms import form_of, form_schema
from sensorium.serve.http.parameters import ANYBODY, Parameters, Refused
from sensorium.serve.http.replies import Usage
from sensorium.serve.http.schemas import Asked
from sensorium.serve.http.server import EventStream, Server, Shared
from sensorium.serve.registry import Served
from sensorium.types import InputError

router = APIRouter()
Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
AS_TEXT: dict[str, tuple[str, Callable[[list[Segment]], str]]] = {
    "srt": ("application/x-subrip", srt),
    "vtt": ("text/vtt", vtt),
    "text": ("text/plain", lambda segments: f"{joined(segments)}\n"),
}
"""Media type and spelling of the formats that are no JSON."""
SAYS_NOTHING = "the models here are asked what is said and nothing else; leave it out"
PARAMETERS = Parameters(
    harmless=ANYBODY,
    refused={
        "prompt": Refused(SAYS_NOTHING),
        "keywords": Refused(SAYS_NOTHING),
        "languages": Refused("say one, as language"),
        "include": Refused("verbose_json tells how likely each segment is", neutral=([],)),
        "chunking_strategy": Refused('recordings are cut at their pauses: leave it out, or say "auto"', ("auto",)),
        "known_speaker_names": Refused("nobody is told from anybody else here"),
        "known_speaker_references": Refused("nobody is told from anybody else here"),
    },
)


class TranslationRequest(Asked):
    """What is said is written in English."""

    parameters: ClassVar[Parameters] = PARAMETERS
    model: Name
    response_format: Format = "json"


class TranscriptionRequest(TranslationRequest):
    """What is said, in the language in which it is said.

    ``language`` is that of the recording: it is told back, and refused where the model does not know it.
    """

    language: String | None = None
    stream: bool = False
    timestamp_granularities: list[Literal["segment", "word"]] | None = None

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        if self.timestamp_granularities and "word" in self.timestamp_granularities:
            message = "unsupported parameter: 'timestamp_granularities' are of segments; times of words are not known"
            raise wrong("timestamp_granularities", message, "unsupported_parameter")
        if self.timestamp_granularities and self.response_format != "verbose_json":
            raise wrong("timestamp_granularities", "timestamp_granularities go with response_format verbose_json only")
        if self.stream and self.response_format not in ("json", "text"):
            raise wrong("stream", f"a stream tells text alone, not {self.response_format}: leave out one of both")
        return self


class InputDetails(BaseModel):
    text_tokens: int
    audio_tokens: int


class TokensUsage(BaseModel):
    type: Literal["tokens"] = "tokens"
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: InputDetails


class TranscriptionReply(BaseModel):
    text: str
    usage: TokensUsage


class SegmentItem(BaseModel):
    """A piece between two pauses; in pieces that are silent nothing is looked for, so ``no_speech_prob`` is 0."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float = 0.0


class Duration(BaseModel):
    type: Literal["duration"] = "duration"
    seconds: float


class VerboseReply(BaseModel):
    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[SegmentItem]
    usage: Duration


CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript, or events that tell it piece by piece.",
        "model": TranscriptionReply | VerboseReply,
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/vtt", "application/x-subrip")}
        | {"text/event-stream": {}},
    }
}


@router.post(
    "/v1/audio/transcriptions",
    response_model=None,
    responses=CONTENT,
    openapi_extra=dict(form_schema(TranscriptionRequest, "file")),
)
async def transcriptions(request: Request, server: Shared) -> Response:
    """Write down what is said in a recording."""
    form = await form_of(request)
    file, body = form.file("file"), form.as_body(TranscriptionRequest)
    served = _who_hears(body.model, server)
    language = _language(body.language, served)
    listening = _listening(body, request, server, served, english=False, streamed=body.stream)
    await server.finish(request, listening.open(file))
    if body.stream:
        return EventStream(listening, _events(listening))
    return await server.finish(request, _whole(body, listening, "transcribe", language))


@router.post(
    "/v1/audio/translations",
    response_model=None,
    responses=CONTENT,
    openapi_extra=dict(form_schema(TranslationRequest, "file")),
)
async def translations(request: Request, server: Shared) -> Response:
    """Write down in English what is said in a recording."""
    form = await form_of(request)
    file, body = form.file("file"), form.as_body(TranslationRequest)
    served = _who_hears(body.model, server)
    listening = _listening(body, request, server, served, english=True, streamed=False)
    await server.finish(request, listening.open(file))
    return await server.finish(request, _whole(body, listening, "translate", "en"))


def _who_hears(name: str, server: Server) -> Served:
    """Raises ApiError: 404, no such model; 400, it does not read sound."""
    served = server.registry.get(name)
    try:
        reader_of(served.model)
    except InputError as error:
        raise wrong("model", str(error), "unsupported_value") from error
    return served


def _language(said: str | None, served: Served) -> str:
    known = served.languages or []
    if said is not None and known and said.lower().partition("-")[0] not in known:
        message = f"the model {served.name!r} does not know the language {said[:40]!r}, but {', '.join(known)}"
        raise wrong("language", message, "unsupported_value")
    return said or (known[0] if len(known) == 1 else "unknown")


def _listening(
    body: TranslationRequest, request: Request, server: Server, served: Served, *, english: bool, streamed: bool
) -> Listening:
    sampling = body.sampling() | ({"logprobs": 0} if body.response_format == "verbose_json" else {})
    options: dict[str, Any] = {"english": english, "sampling": sampling, "at_once": at_once(streamed)}
    return Listening(request, server, served, attempt=body.attempt, **options)


async def _whole(body: TranslationRequest, listening: Listening, task: str, language: str) -> Response:
    texts: dict[int, str] = {}
    ended: dict[int, Told] = {}
    async for one in listening.told():
        texts[one.number] = texts.get(one.number, "") + one.text
        if one.tokens is not None:
            ended[one.number] = one
    segments = [Segment(*ended[number].span, text_of(texts[number], ended[number].finish)) for number in sorted(ended)]
    if body.response_format in AS_TEXT:
        kind, spelled = AS_TEXT[body.response_format]
        return PlainTextResponse(spelled(segments), media_type=kind)
    if body.response_format == "json":
        return _json(TranscriptionReply(text=joined(segments), usage=_usage(listening.usage)))
    tokens = [ended[number].tokens or () for number in sorted(ended)]
    told = [_item(*each, body) for each in zip(segments, tokens, strict=True) if each[0].text]
    told = [one.model_copy(update={"id": number}) for number, one in enumerate(told)]
    duration = Duration(seconds=round(listening.duration_s, 3))
    reply: Any = {"task": task, "language": language, "duration": duration.seconds, "usage": duration}
    return _json(VerboseReply(**reply, text=joined(segments), segments=told))


def joined(segments: list[Segment]) -> str:
    return " ".join(one.text for one in segments if one.text)


def _json(reply: BaseModel) -> Response:
    return JSONResponse(reply.model_dump())


def _item(segment: Segment, tokens: tuple[Token, ...], body: TranslationRequest) -> SegmentItem:
    spelled = segment.text.encode()
    return SegmentItem(
        id=0,
        seek=round(segment.start_s * 100),
        start=round(segment.start_s, 3),
        end=round(segment.end_s, 3),
        text=segment.text,
        tokens=[token.id for token in tokens],
        temperature=body.temperature or 0.0,
        avg_logprob=sum(token.logprob or 0.0 for token in tokens) / max(1, len(tokens)),
        compression_ratio=len(spelled) / len(zlib.compress(spelled)),
    )


def _usage(usage: Usage) -> TokensUsage:
    by_kind = usage.modality_tokens.prompt
    heard = sum(count for kind, count in by_kind.items() if kind != "text")
    details = InputDetails(text_tokens=usage.prompt_tokens - heard, audio_tokens=heard)
    return TokensUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_token_details=details,
    )


async def _events(listening: Listening) -> AsyncIterator[dict[str, Any]]:
    """As OpenAI has them."""
    flow = Flow()
    async for one in listening.told():
        if delta := flow.feed(one):
            yield {"type": "transcript.text.delta", "delta": delta}
    yield {"type": "transcript.text.done", "text": flow.text, "usage": _usage(listening.usage).model_dump()}


class Flow:
    """The text of pieces that come one after the other: a blank between two, and none at the ends.

    Attributes:
        text: all that was told.
    """

    def __init__(self) -> None:
        self.text = ""
        self._number, self._begun, self._held = 0, False, ""

    def feed(self, told: Told) -> str:
        """What is sure after some more."""
        if told.number != self._number:
            self._number, self._begun, self._held = told.number, False, ""
        held = self._held + told.text
        held = held if self._begun else held.lstrip()
        ready = held.rstrip()
        self._held = held[len(ready) :]
        if not ready:
            return ""
        delta = ready if self._begun or not self.text else f" {ready}"
        self._begun, self.text = True, self.text + delta
        return delta
