"""Sentence templates: one task said in several ways and languages, filled with fields, the same for the same seed."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from sensorium.types import TEXT, Conversation, InputError, Message, Part, as_part

Phrasings = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Template:
    """A question and its answer.

    Phrasings are format strings by language, e.g. ``{"en": ["{medium}What is this?", "{medium}Name it."]}``. A
    field is a string, a number, a `Part`, or a mapping from language to one of these.

    Args:
        ask: what the user says.
        answer: what the assistant says, in the language of the question.
    """

    ask: Phrasings
    answer: Phrasings

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages with phrasings for both the question and the answer."""
        return tuple(language for language in self.ask if language in self.answer)

    def fill(self, fields: Mapping[str, Any], seed: int | str = 0, language: str | None = None) -> Conversation:
        """A conversation of one question and one answer.

        Args:
            fields: values of the names in braces.
            seed: chooses among phrasings, and among languages if none is given.
            language: of the phrasings and of fields that have several; None chooses one.

        Raises:
            InputError: a field is missing, or the language is unknown to the template or a field.
        """
        random = Random(f"template:{seed}")
        language = random.choice(self.languages) if language is None and self.languages else language
        if language not in self.languages:
            raise InputError(
                f"the template has no phrasing in {language!r}; it has: {', '.join(self.languages) or 'none'}"
            )
        ask = fill_phrase(random.choice(self.ask[language]), fields, language)
        answer = fill_phrase(random.choice(self.answer[language]), fields, language)
        return Conversation((Message("user", ask), Message("assistant", answer)))


def fill_phrase(phrase: str, fields: Mapping[str, Any], language: str) -> tuple[Part, ...]:
    """Parts of a phrase with its fields put in; neighbouring texts are one part."""
    parts: list[Part] = []
    for literal, name, _, _ in string.Formatter().parse(phrase):
        for part in (Part(TEXT, literal), *([] if name is None else [_field(name, fields, language, phrase)])):
            if part.is_text and parts and parts[-1].is_text:
                parts[-1] = Part(TEXT, parts[-1].data + part.data)
            elif not part.is_text or part.data:
                parts.append(part)
    return tuple(parts)


def _field(name: str, fields: Mapping[str, Any], language: str, phrase: str) -> Part:
    value = fields.get(name)
    if isinstance(value, Mapping):
        value = value.get(language)
    if value is None:
        raise InputError(
            f"the phrase {phrase!r} needs the field {name!r} in {language!r}; the fields are {', '.join(fields)}"
        )
    return as_part(value if isinstance(value, Part) else str(value))


DESCRIBE = Template(
    ask={
        "en": ["{medium}What is this?", "{medium}Describe this.", "{medium}What does this show?"],
        "fr": ["{medium}Qu'est-ce que c'est ?", "{medium}Décris ceci."],
        "es": ["{medium}¿Qué es esto?", "{medium}Describe esto."],
        "de": ["{medium}Was ist das?", "{medium}Beschreibe das."],
        "it": ["{medium}Che cos'è?", "{medium}Descrivi questo."],
    },
    answer={language: ["{caption}"] for language in ("en", "fr", "es", "de", "it")},
)
MAKE = Template(
    ask={
        "en": ["Make this: {caption}", "Create: {caption}", "{caption}"],
        "fr": ["Crée ceci : {caption}", "{caption}"],
        "es": ["Crea esto: {caption}", "{caption}"],
        "de": ["Erstelle: {caption}", "{caption}"],
        "it": ["Crea questo: {caption}", "{caption}"],
    },
    answer={language: ["{medium}"] for language in ("en", "fr", "es", "de", "it")},
)
