"""``POST /v1/images/generations``: pictures from words, whole or as they are drawn."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Literal, Self

import numpy as np
from fastapi import APIRouter, Request
from PIL import Image as Pillow
from pydantic import BaseModel, Field, model_validator

from sensorium.modalities import modality
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.fields import Name, String
from sensorium.serve.http.parameters import ANYBODY, Parameters, Refused
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import Usage
from sensorium.serve.http.schemas import Sampled
from sensorium.serve.http.server import EventStream, Server, Shared
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Writing
from sensorium.serve.writing.transcript import Medium, Progress
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Signal, as_message

router = APIRouter(route_class=JsonRoute)
IMAGE = "image"
LONGEST_SIDE_PX = 4096
SHEET = Signal(np.full((64, 64, 3), 255, dtype=np.uint8))
"""A blank one: where nothing is drawn yet."""
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The pictures, or events that tell how one is drawn.", "content": {"text/event-stream": {}}}
}
PARAMETERS = Parameters(
    harmless=(*ANYBODY, "moderation"),
    refused={
        "background": Refused("what is drawn is opaque", neutral=("auto", "opaque")),
        "quality": Refused("a model draws in one quality", neutral=("auto", "standard")),
        "style": Refused("say it in the prompt"),
        "output_compression": Refused("leave it out or at 100", neutral=(100,)),
    },
)


class ImageRequest(Sampled):
    """Words to be drawn.

    In a stream, `partial_images` show the picture on its way, the rest of it still blank.
    """

    parameters: ClassVar[Parameters] = PARAMETERS
    prompt: String = Field(min_length=1, max_length=32000)
    model: Name | None = Field(None, description="Default: the first model that writes pictures.")
    size: str | None = Field(
        None, pattern=r"^(auto|[1-9]\d{0,3}x[1-9]\d{0,3})$", description="Width x height; default: as the model draws."
    )
    response_format: Literal["b64_json"] | None = "b64_json"
    output_format: Literal["png", "jpeg", "webp"] | None = "png"
    stream: bool | None = False
    partial_images: int | None = Field(0, ge=0, le=3, description="How often a stream shows the picture on its way.")

    @model_validator(mode="after")
    def _check_stream(self) -> Self:
        if self.stream and self.answers != 1:
            name = "best_of" if self.wanted == 1 else "n"
            raise wrong(name, f"a stream tells of one picture: leave out {name}")
        if self.partial_images and not self.stream:
            raise wrong("partial_images", "partial_images go with stream only: say stream: true as well")
        return self

    @property
    def side_px(self) -> tuple[int, int] | None:
        """Width and height in pixels; None for the model's own."""
        if self.size in (None, "auto"):
            return None
        width, height = map(int, str(self.size).split("x"))
        if max(width, height) > LONGEST_SIDE_PX:
            raise InputError(f"size {self.size} is larger than {LONGEST_SIDE_PX} pixels a side; ask for less")
        return width, height


class ImageItem(BaseModel):
    b64_json: str
    codec: str | None
    codes: list[int]


class InputDetails(BaseModel):
    text_tokens: int
    image_tokens: int = 0


class ImageUsage(Usage):
    """Also by the names that OpenAI gives the counts here."""

    input_tokens: int
    output_tokens: int
    input_tokens_details: InputDetails


class ImageReply(BaseModel):
    created: int
    data: list[ImageItem]
    output_format: str
    usage: ImageUsage


@router.post("/v1/images/generations", response_model=ImageReply, responses=STREAMED)
async def draw(body: ImageRequest, request: Request, server: Shared) -> Any:
    """Draw pictures; several differ where the model can. With ``best_of`` they come best first."""
    served = server.registry.get(body.model) if body.model else _first_that_draws(server)
    side_px = body.side_px
    server.check(body.answers, None)
    conversation = Conversation((as_message("user", body.prompt),))
    room: dict[str, Any] = {"max_tokens": served.model.vocabulary.writer(IMAGE).max_tokens + 1}
    turn = await served.at_desk(lambda: served.model.turn(conversation, IMAGE, **room, **body.sampling()))
    sketches = await served.at_desk(_Sketches, served, body) if body.partial_images else None
    writing = server.attempt(request, served, turn, body)
    if body.stream:
        return EventStream(writing, _events(body, server, served, writing, side_px, sketches))
    return await server.finish(request, _whole(body, server, served, writing, side_px))


def _first_that_draws(server: Server) -> Served:
    for served in server.registry:
        if IMAGE in served.writes:
            return served
    raise InputError("none of the models here writes pictures")


async def _whole(
    body: ImageRequest, server: Server, served: Served, writing: Writing, side_px: tuple[int, int] | None
) -> ImageReply:
    written, usage = await server.written(served, writing, body.wanted)
    media = [next(part for part in one.parts if not part.is_text) for one in written]
    data = [await served.at_desk(_item, part, side_px, body) for part in media]  # others may come in between
    format_ = body.output_format or "png"
    return ImageReply(created=int(time.time()), data=data, usage=_usage(usage), output_format=format_)


def _item(part: Part, side_px: tuple[int, int] | None, body: ImageRequest) -> ImageItem:
    return ImageItem(b64_json=_file(part, side_px, body)["b64_json"], codec=part.codec, codes=_codes(part))


def _codes(part: Part) -> list[int]:
    return [] if part.codes is None else part.codes.tolist()


def _file(part: Part, side_px: tuple[int, int] | None, body: ImageRequest) -> dict[str, str]:
    """A picture as events have it, in the size and kind of file asked for."""
    array = part.array
    if side_px is not None:
        array = np.asarray(Pillow.fromarray(array).resize(side_px, Pillow.Resampling.BICUBIC))
    format_ = body.output_format or "png"
    encoded = modality(IMAGE).to_bytes(Signal(array), f"image/{format_}")
    told = {"size": f"{array.shape[1]}x{array.shape[0]}", "quality": "auto", "background": "opaque"}
    return {"b64_json": base64.b64encode(encoded).decode("ascii"), "output_format": format_, **told}


def _usage(usage: Usage) -> ImageUsage:
    counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    details = InputDetails(text_tokens=usage.prompt_tokens)
    return ImageUsage(**usage.model_dump(), **counts, input_tokens_details=details)


class _Sketches:
    """A picture on its way: what is written so far, and the rest of a blank sheet.

    Raises:
        ApiError: 400, the model's codec writes pictures of no fixed length, so that nobody knows what is missing.
    """

    def __init__(self, served: Served, body: ImageRequest):
        layout = served.model.vocabulary.writer(IMAGE)
        if layout.min_codes != layout.max_codes:
            message = "unsupported parameter: 'partial_images' needs a codec whose pictures are of one length"
            raise wrong("partial_images", message, "unsupported_parameter")
        blank = served.model.senses.encode(Conversation((Message("assistant", (Part(IMAGE, SHEET),)),)))
        (part,) = blank.parts()
        assert part.codes is not None
        self._rest, self._senses = layout.ids(part.codes), served.model.senses
        shows = body.partial_images or 0
        self._at = {layout.max_codes * number // (shows + 1): number - 1 for number in range(1, shows + 1)}

    def due(self, event: Any) -> int | None:
        """The number of the sketch that is to be shown now, if one is."""
        return self._at.get(event.done) if isinstance(event, Progress) else None

    def sketch(self, ids: list[int]) -> Part:
        """The picture as far as ids, from its opening marker on, tell it."""
        (part,) = self._senses.decode(self._senses.stream.parse([*ids, *self._rest[len(ids) :]]))
        return part


async def _events(
    body: ImageRequest,
    server: Server,
    served: Served,
    writing: Writing,
    side_px: tuple[int, int] | None,
    sketches: _Sketches | None,
) -> AsyncIterator[dict[str, Any]]:
    """As OpenAI has them: a picture on its way, and the whole one."""
    created, ids, done = int(time.time()), [], None
    async for step in writing.steps():
        ids.append(step.token.id)
        for event in step.events:
            if sketches is not None and (number := sketches.due(event)) is not None:
                sketch = await served.at_desk(sketches.sketch, ids)
                file = await served.at_desk(_file, sketch, side_px, body)
                told = {"partial_image_index": number, "created_at": created, **file}
                yield {"type": "image_generation.partial_image", **told}
            if isinstance(event, Medium):
                done = event.part
    assert done is not None and done.modality != TEXT, "the grammar lets nothing else be written"
    (part,) = await served.at_desk(served.model.senses.decode, [done])
    file = await served.at_desk(_file, part, side_px, body)
    usage = writing.usage()
    server.metrics.count(served.name, usage)
    told = {"created_at": created, "codec": part.codec, "codes": _codes(part), **file}
    yield {"type": "image_generation.completed", **told, "usage": _usage(usage).model_dump()}
