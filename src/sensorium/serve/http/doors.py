"""What the page gets from a modality: ``/v1/modalities`` tells its kinds of file, viewer and words.

A viewer is a JavaScript module that lies beside the modality's Python file, in whichever package that is. It is served
below ``/page/``, where a browser loads scripts without a key; only the one file that the modality names is ever sent.
"""

from __future__ import annotations

import logging
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel

from sensorium.modalities import Modality, modality, modality_names
from sensorium.modalities.base import viewer_file
from sensorium.serve.http.errors import ApiError

log = logging.getLogger("sensorium.serve")
router = APIRouter()


class ModalityCard(BaseModel):
    """A kind of medium: the files it comes in, and what the page shows it with.

    ``viewer`` is the address of a JavaScript module, relative to the page; null for a download link. ``words`` are the
    page's texts about it, by language and key. Which models read and write it, ``/v1/models`` tells.
    """

    id: str
    object: Literal["modality"] = "modality"
    media_types: list[str]
    extensions: list[str]
    viewer: str | None
    words: dict[str, dict[str, str]]


class ModalityList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModalityCard]


@router.get("/v1/modalities")
async def modalities() -> ModalityList:
    """The kinds of media that are installed, with the page's doors to them."""
    found = [_installed(name) for name in modality_names()]
    return ModalityList(data=[card(kind) for kind in found if kind is not None])


@router.get("/page/viewers/{name}/{file}", include_in_schema=False)
async def viewer(name: str, file: str) -> FileResponse:
    """The viewer of a modality; the address never becomes a path, it is only compared with the one there is."""
    kind = _installed(name) if name in modality_names() else None
    path = None if kind is None else viewer_file(kind)
    if path is None or file != path.name:
        raise ApiError(404, "no modality that is installed has this viewer", code="not_found")
    return FileResponse(path, media_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})


def card(kind: Modality) -> ModalityCard:
    """What the page is told of a modality."""
    path = viewer_file(kind)
    return ModalityCard(
        id=kind.name,
        media_types=list(kind.media_types),
        extensions=list(kind.extensions),
        viewer=None if path is None else f"page/viewers/{kind.name}/{path.name}",
        words={language: dict(words) for language, words in kind.words.items()},
    )


def _installed(name: str) -> Modality | None:
    """A modality by name; one whose package cannot be loaded must not take the page from the others."""
    try:
        return modality(name)
    except Exception:
        log.exception("the modality %r cannot be loaded, so the page does without it", name)
        return None
