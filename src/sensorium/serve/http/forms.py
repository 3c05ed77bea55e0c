"""Forms with a file (multipart/form-data, RFC 7578), for the endpoints of OpenAI's that take one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from sensorium.serve.http.errors import ApiError, wrong
from sensorium.serve.http.reading import whole_body

Body = TypeVar("Body", bound=BaseModel)
KIND = "multipart/form-data"
MOST_FIELDS = 64
LONGEST_FIELD_BYTES = 2**16
PATH = re.compile(r"([^\[\]]{1,100})((?:\[[^\[\]]{0,100}\])*)")
"""A name as OpenAI's clients spell those of lists and of fields in fields: ``name[]``, ``name[inner]``."""


@dataclass(frozen=True)
class Form:
    """What was sent: fields by name, a list where the name ends in ``[]``, and files."""

    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def as_body(self, kind: type[Body]) -> Body:
        """The fields as a request; one that is empty is as good as left out.

        Raises:
            RequestValidationError: as for a body of JSON.
        """
        try:
            return kind.model_validate(self.fields)
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in found]) from error

    def file(self, name: str) -> bytes:
        """The only file of the form.

        Raises:
            ApiError: 400, it is missing, is text without the name of a file, or there are others.
        """
        if name in self.fields:
            raise wrong(name, f"{name} must be a file: send it with a filename", "invalid_type")
        if name not in self.files:
            raise wrong(name, f"missing required parameter: {name}", "missing_required_parameter")
        for other in self.files.keys() - {name}:
            raise wrong(
                other[:100], f"unknown parameter: this endpoint takes no file {other[:100]!r}", "unknown_parameter"
            )
        return self.files[name]


async def form_of(request: Request) -> Form:
    """The form that a request sends, read beside the event loop.

    Raises:
        ApiError: 400, it is no form, or is cut short; 413, it has too many fields, or one is too long.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    body = await whole_body(request)
    boundary = options.get(b"boundary")
    if kind != KIND.encode() or not boundary:
        raise ApiError(
            400, f"send the body as a form with a file, with the header Content-Type: {KIND}", code="no_form"
        )
    server = request.app.state.server
    return await server.json.work(request.scope["sensorium.client"], lambda: parse(body, boundary))


def parse(body: bytearray, boundary: bytes) -> Form:
    """The form that a body spells; ``body`` is empty afterwards.

    Raises:
        ApiError: see `form_of`.
    """
    form, ended = Form(), []
    seen = 0

    def note(part: Field | File) -> None:
        nonlocal seen
        seen += 1
        if seen > MOST_FIELDS:
            raise ApiError(413, f"the form has more than {MOST_FIELDS} fields; send less", code="too_large")
        _note(form, part)

    config: dict[Any, Any] = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}
    try:
        parser = FormParser(KIND, note, note, lambda: ended.append(True), boundary, config=config)
        parser.write(bytes(body))
        parser.finalize()
    except FormParserError as error:
        raise ApiError(400, f"the body is no form: {str(error)[:200]}", code="invalid_form") from None
    finally:
        body.clear()
    if not ended:
        raise ApiError(400, "the form is cut short: its last boundary is missing", code="invalid_form")
    return form


def _note(form: Form, part: Field | File) -> None:
    name = (part.field_name or b"").decode("utf-8", "replace")
    if isinstance(part, File):
        part.file_object.seek(0)
        if name in form.files:
            raise wrong(name[:100], f"{name[:100]} is sent twice; send one file")
        form.files[name] = part.file_object.read()
        part.close()
        return
    if len(part.value or b"") > LONGEST_FIELD_BYTES:
        raise wrong(name[:100], f"{name[:100]} has more than {LONGEST_FIELD_BYTES} bytes", "string_above_max_length")
    try:
        value = (part.value or b"").decode()
    except UnicodeDecodeError:
        raise wrong(name[:100], f"{name[:100]} is not UTF-8; send it as such") from None
    if value:
        _put(form.fields, name, value)


def _put(fields: dict[str, Any], name: str, value: str) -> None:
    found = PATH.fullmatch(name)
    if found is None:
        raise wrong(name[:100], f"a field cannot be called {name[:100]!r}", "unknown_parameter")
    outer, inner = found[1], found[2]
    known = fields.setdefault(outer, [] if inner == "[]" else {} if inner else value)
    if inner == "[]" and isinstance(known, list):
        known.append(value)
    elif inner and isinstance(known, dict):  # a field in a field, which no endpoint here takes: refused by its name
        known[inner] = value
    elif inner or known is not value:
        raise wrong(outer, f"{outer} is sent more than once; send it once, or all its values as {outer}[]")


def form_schema(kind: type[BaseModel], file: str) -> Mapping[str, Any]:
    """How OpenAPI describes the body of an endpoint that takes a form."""
    schema = kind.model_json_schema()
    schema["properties"] = {file: {"type": "string", "format": "binary"}, **schema["properties"]}
    schema["required"] = [file, *schema.get("required", [])]
    return {"requestBody": {"required": True, "content": {KIND: {"schema": schema}}}}
