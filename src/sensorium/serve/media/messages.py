"""Messages of requests to conversations, and parts to their form in replies."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from sensorium.generate.tools import Tool
from sensorium.modalities import modality
from sensorium.model import context_of
from sensorium.senses import Senses
from sensorium.serve.http.pieces import encoder_of, in_form
from sensorium.serve.http.schemas import ContentPart, RequestMessage, RequestRole
from sensorium.serve.media.fetch import Fetcher
from sensorium.serve.media.spellings import usual
from sensorium.serve.media.workers import Workers
from sensorium.serve.registry import Served
from sensorium.serve.settings import Settings
from sensorium.source import data_uri
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Role, TooLong

MOST_KEPT = 1000
PIECE_CHARACTERS = 10_000
"""Cut into tokens within some milliseconds."""
TYPE = re.compile(r"(?:input_)?(\w{1,100}?)(?:_url)?")


class Reader:
    """Turns messages into conversations; media are opened by workers."""

    def __init__(self, workers: Workers, settings: Settings):
        self._workers, self._settings, self._fetcher = workers, settings, Fetcher(settings)

    async def conversation(
        self,
        messages: Sequence[RequestMessage],
        served: Served,
        client: str = "",
        answered: bool = True,
        tools: Sequence[Tool] = (),
    ) -> Conversation:
        """A conversation whose media hold codes.

        Args:
            client: who asks; clients take turns at what fetches and opens media.
            answered: whether it is for the model to read, so that it must leave room for an answer.
            tools: that the model is told of, in texts that count like those of the messages.

        Raises:
            TooLong: the texts alone are longer than the model's context.
            InputError: a part is malformed, not allowed, too large, or of a modality the model does not have.
            ApiError: 429, too many media of this client wait.
        """
        pieces = [_pieces(message, served) for message in messages]
        count = sum(map(len, pieces))
        if count > self._settings.max_parts:
            raise InputError(f"the messages have {count} parts, at most {self._settings.max_parts} are allowed")
        texts = [_said(part) for parts in pieces for part in parts]
        texts += [json.dumps(tool.to_json(), ensure_ascii=False) for tool in tools]
        check_characters(texts, self._settings)
        if answered:
            await check_length(texts, served)
        turns = []
        for number, (message, parts) in enumerate(zip(messages, pieces, strict=True), start=1):
            read = [
                await self._part(part, message.role, served, client, f"message {number}, part {place}")
                for place, part in enumerate(parts, start=1)
            ]
            turns.append(Message(_role(message.role), tuple(read)))
        return Conversation(tuple(turns))

    async def _part(self, part: ContentPart, role: RequestRole, served: Served, client: str, where: str) -> Part:
        senses = served.model.senses
        try:
            part = usual(part)
            if part.type == TEXT:
                if part.text is None:
                    raise InputError('is a text part without "text"')
                return Part(TEXT, part.text)
            match = TYPE.fullmatch(part.type)
            name = match.group(1) if match else part.type[:100]
            layout = senses.layout_for(name, _role(role))
            if part.codes is not None and part.codec == layout.name:
                return Part(name, codes=layout.check(part.codes), codec=layout.name)
            wish = senses.codecs[layout.name].facts.wish
            opened = Part(name, await self._workers.open(name, await self._bytes(name, part, client), wish, client))
            return await served.at_desk(encoded, Message(_role(role), (opened,)), senses)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    async def _bytes(self, name: str, part: ContentPart, client: str) -> bytes:
        address = modality(name).part_data(part.model_extra | {"type": part.type} if part.model_extra else {})
        if not isinstance(address, str):
            raise InputError(f'needs an address in "{part.type[:100]}", e.g. {{"url": "data:TYPE;base64,..."}}')
        return await self._fetcher.load(address, client)


def _said(part: ContentPart) -> str:
    """The text of a part, also where it is spelled as a refusal."""
    said = part.text if part.text is not None else (part.model_extra or {}).get("refusal")
    return said if isinstance(said, str) else ""


def _role(name: RequestRole) -> Role:
    assert name != "tool", "results of tools have become the user's text"
    return "system" if name == "developer" else name


def encoded(message: Message, senses: Senses) -> Part:
    """The only part of a message as codes; its signal, which may be large, is let go."""
    (part,) = senses.encode(Conversation((message,))).messages[0].parts
    return replace(part, data=None)


def check_characters(texts: Iterable[str], settings: Settings) -> None:
    """InputError when the texts of a request are longer than allowed; cutting them into tokens would take long."""
    characters = sum(map(len, texts))
    if characters > settings.max_characters:
        raise InputError(f"the text has {characters} characters, at most {settings.max_characters} are allowed")


async def check_length(texts: Iterable[str], served: Served) -> None:
    """TooLong when texts are far longer than the model's context: a piece at a time, so that others come in between.

    Cut in pieces a text may have some tokens more than as a whole, so near the limit the whole decides, later.
    """
    context = context_of(served.model.lm)
    if context is None:
        return
    texts = list(texts)
    if sum(map(len, texts)) <= PIECE_CHARACTERS:
        return
    characters = tokens = 0
    for text in texts:
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = text[start : start + PIECE_CHARACTERS]
            characters += len(piece)
            tokens += await served.at_desk(_tokens, piece, served)
            if tokens > 2 * context:
                raise TooLong(
                    f"this model's maximum context length is {context} tokens, {characters} characters of the text "
                    f"take {tokens} already; shorten it"
                )


def _tokens(text: str, served: Served) -> int:
    return len(served.model.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False))


def _pieces(message: RequestMessage, served: Served) -> list[ContentPart]:
    if message.parts is not None:
        return message.parts
    content = message.content
    if content is None and message.role != "assistant":
        raise InputError(f"a message of the {message.role} has no content; write a string or a list of parts")
    said = [ContentPart(type=TEXT, text=content)] if isinstance(content, str) else content or []
    return [*said, *_kept(message, served)]


def _kept(message: RequestMessage, served: Served) -> list[ContentPart]:
    """Media of an answer that another program sends back where it looks for them; often there are none left."""
    if message.role != "assistant" or not message.model_extra:
        return []
    found = [one for name in served.writes for one in modality(name).from_reply(message.model_extra)]
    if len(found) > MOST_KEPT:
        raise InputError(f"a message of the assistant holds {len(found)} media, at most {MOST_KEPT} are allowed")
    try:
        return [ContentPart.model_validate(one) for one in found]
    except ValidationError as error:
        raise InputError("a message of the assistant holds media that are no parts; send them as parts") from error


def part_to_json(part: Part) -> ContentPart:
    """A part of a reply, as messages and files have it; what has codes alone (its codec only reads) has no address."""
    if part.is_text:
        return ContentPart(type=TEXT, text=part.data)
    kind = f"{part.modality}_url"
    extra: Any = {} if part.data is None else {kind: {"url": media_uri(part)}}
    codes = None if part.codes is None else part.codes.tolist()
    return ContentPart(type=kind, codec=part.codec, codes=codes, **extra)


def media_uri(part: Part) -> str:
    """A medium whose data is a signal as a data URI."""
    kind = modality(part.modality)
    return data_uri(kind.to_bytes(part.data), kind.media_types[0])


def media_fields(
    parts: Sequence[Part], told: Sequence[ContentPart], formats: Mapping[str, str | None]
) -> dict[str, Any]:
    """Fields of a message, or of a delta, that hold its media once more, where other programs look for them.

    Args:
        parts: of a reply, media with their signals.
        told: the same as `part_to_json` has them.
        formats: see `media_by_name`.
    """
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for part, one in zip(parts, told, strict=True):
        if not part.is_text:
            by_kind.setdefault(part.modality, []).append(one.model_dump())
    text, fields = "".join(part.data for part in parts if part.is_text), {}
    for name, some in by_kind.items():
        fields |= modality(name).in_reply(some, text)
    return fields | media_by_name(parts, formats)


def check_format(name: str, format_: str | None) -> None:
    """InputError when a modality does not write the kind of file that is asked for, nor has such a form of it."""
    if encoder_of(name, format_) is None:
        _media_type(name, format_)


def media_by_name(parts: Sequence[Part], formats: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """The last medium of each modality in ``formats``, in the form that OpenAI has for sound.

    Args:
        parts: of a reply, media with their signals.
        formats: kind of file by modality, None for its own.
    """
    text = "".join(part.data for part in parts if part.is_text)
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        if part.modality in formats:
            name, encoder = part.modality, encoder_of(part.modality, formats[part.modality])
            if encoder is None:
                data = modality(name).to_bytes(part.data, _media_type(name, formats[name]))
            else:
                data = in_form(part.data, encoder())
            found[name] = modality(name).file_field(base64.b64encode(data).decode("ascii"), text)
    return found


def formats_of(name: str) -> str:
    """The kinds of file that a modality writes, in a list for people."""
    return ", ".join(suffix.removeprefix(".") for suffix in modality(name).suffixes)


def _media_type(name: str, format_: str | None) -> str | None:
    known = modality(name).suffixes
    if format_ is not None and f".{format_}" not in known:
        raise InputError(f"{name} is not written in the format {str(format_)[:40]!r}; its formats: {formats_of(name)}")
    return None if format_ is None else known[f".{format_}"]
