"""Parts as other APIs spell them, in the one spelling that the server reads; see `ContentPart`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sensorium.modalities import modality, modality_names, named_by
from sensorium.serve.http.schemas import ContentPart
from sensorium.types import TEXT, InputError

INPUT = re.compile(r"input_(\w{1,100})")
MEDIA_TYPE = re.compile(r"data:([\w.+-]+/[\w.+-]+)[;,]")


def usual(part: ContentPart) -> ContentPart:
    """The part as ``{"type": "text"}`` or ``{"type": "M_url"}``, where it is one that OpenAI spells otherwise.

    Raises:
        InputError: a file that is of no modality, or one that is named by its id alone; a refusal that is no text.
    """
    fields = part.model_extra or {}
    if part.type in ("input_text", "output_text", "refusal"):
        return _text(part.text if part.text is not None else fields.get("refusal"))
    if part.type in ("file", "input_file"):
        return _file(fields.get("file") if part.type == "file" else fields)
    match = INPUT.fullmatch(part.type)
    address = fields.get(f"{match[1]}_url") if match else None
    if match and isinstance(address, str):
        return medium(match[1], address, part)
    if match and fields.get("file_id") is not None:
        raise InputError("names a file by its id, but nothing is stored here; send the file itself as a data URI")
    return part


def _text(said: Any) -> ContentPart:
    """A part of text; what a refusal says was no field of the request, so nobody has looked at it yet."""
    try:
        return ContentPart(type=TEXT, text=said)
    except ValidationError as error:
        raise InputError("is a text part whose text is none; write a string of whole characters") from error


def medium(name: str, address: str, kept: ContentPart | None = None) -> ContentPart:
    """A part of a modality, with the codes of ``kept`` if it has any."""
    codes: dict[str, Any] = {} if kept is None else {"codec": kept.codec, "codes": kept.codes}
    return ContentPart.model_validate({"type": f"{name}_url", f"{name}_url": {"url": address}, **codes})


def _file(file: Any) -> ContentPart:
    """A file that says by its media type, or by its name, of what modality it is."""
    said = file if isinstance(file, Mapping) else {}
    data, name = said.get("file_data") or said.get("file_url"), said.get("filename")
    if not isinstance(data, str):
        raise InputError('is a file without its "file_data", a data URI; nothing is stored here that an id could name')
    found = MEDIA_TYPE.match(data)
    if found is None and isinstance(name, str) and (kind := named_by(name)) is not None:
        known = data if ":" in data[:20] else f"data:{modality(kind).media_types[0]};base64,{data}"
        return medium(kind, known)
    for kind in modality_names():
        if found and found[1] in modality(kind).media_types:
            return medium(kind, data)
    told = found[1] if found else str(name)[:100]
    raise InputError(
        f"is a file of no modality that is installed ({told}); send text as text, and media as their parts"
    )
