"""``POST /v1/images/generations``: pictures from words."""

from __future__ import annotations

import base64
import time
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from PIL import Image as Pillow
from pydantic import BaseModel, Field

from sensorium.modalities import modality
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.schemas import Name, Sampled, String, Usage
from sensorium.serve.http.server import Server, Shared
from sensorium.serve.registry import Served
from sensorium.serve.writing.answers import Writing, Written
from sensorium.types import Conversation, InputError, Signal, as_message

router = APIRouter(route_class=JsonRoute)
IMAGE = "image"
LONGEST_SIDE_PX = 4096


class ImageRequest(Sampled):
    prompt: String = Field(min_length=1, max_length=32000)
    model: Name | None = Field(None, description="Default: the first model that writes pictures.")
    size: str | None = Field(
        None, pattern=r"^(auto|[1-9]\d{0,3}x[1-9]\d{0,3})$", description="Width x height; default: as the model draws."
    )
    response_format: Literal["b64_json"] | None = "b64_json"


class ImageItem(BaseModel):
    b64_json: str
    codec: str | None
    codes: list[int]


class ImageReply(BaseModel):
    created: int
    data: list[ImageItem]
    usage: Usage


@router.post("/v1/images/generations", response_model=ImageReply)
async def draw(body: ImageRequest, request: Request, server: Shared) -> Any:
    """Draw pictures; several differ where the model can. With ``best_of`` they come best first."""
    served = server.registry.get(body.model) if body.model else _first_that_draws(server)
    size = _size(body.size)
    server.check(body.answers, None)
    conversation = Conversation((as_message("user", body.prompt),))
    room: dict[str, Any] = {"max_tokens": served.model.vocabulary.writer(IMAGE).max_tokens + 1}
    turn = await served.at_desk(lambda: served.model.turn(conversation, IMAGE, **room, **body.sampling()))
    writing = server.attempt(request, served, turn, body)
    return await server.finish(request, _whole(body, server, served, writing, size))


def _first_that_draws(server: Server) -> Served:
    for served in server.registry:
        if IMAGE in served.writes:
            return served
    raise InputError("none of the models here writes pictures")


def _size(size: str | None) -> tuple[int, int] | None:
    """Width and height in pixels; None for the model's own."""
    if size in (None, "auto"):
        return None
    width, height = map(int, str(size).split("x"))
    if max(width, height) > LONGEST_SIDE_PX:
        raise InputError(f"size {size} is larger than {LONGEST_SIDE_PX} pixels a side; ask for less")
    return width, height


async def _whole(
    body: ImageRequest, server: Server, served: Served, writing: Writing, size: tuple[int, int] | None
) -> ImageReply:
    written, usage = await server.written(served, writing, body.wanted)
    data = [await served.at_desk(_item, one, size) for one in written]  # others may have their turn in between
    return ImageReply(created=int(time.time()), data=data, usage=usage)


def _item(written: Written, size: tuple[int, int] | None) -> ImageItem:
    (part,) = (part for part in written.parts if not part.is_text)
    array = part.array
    if size is not None:
        array = np.asarray(Pillow.fromarray(array).resize(size, Pillow.Resampling.BICUBIC))
    encoded = modality(IMAGE).to_bytes(Signal(array))
    codes = [] if part.codes is None else part.codes.tolist()
    return ImageItem(b64_json=base64.b64encode(encoded).decode("ascii"), codec=part.codec, codes=codes)
