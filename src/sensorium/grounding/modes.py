"""Kinds of difference that an encoder does not see: by the aspects that differ, or as a language model names them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensorium.checked import checked, told
from sensorium.grounding.material import Pair
from sensorium.grounding.specs import ModelSpec, key_of, reached
from sensorium.types import InputError

ABOUT: Mapping[str, str] = {
    "object": "one thing is taken for another",
    "existence": "a thing more or less is not seen",
    "number": "how many there are is not told",
    "binding": "which of the things has which value is not told",
    "relation": "where things are, seen from each other, is not told",
    "action": "what things do is not told",
    "negation": "whether something is denied is not told",
    "order": "the order of the words is not told",
    "words": "texts that differ in several words are not told apart",
}
"""Of aspects; all others are `OTHER`."""
OTHER = "differences of {} are not told"
SHOWN = 40
"""Pairs that a language model is shown."""
CATEGORISE = """These pairs differ, but an encoder takes them for the same:

{pairs}

Each pair says in brackets in which aspects it differs. Which kinds of difference does the encoder in general fail to
see? Answer with JSON alone: a list of objects with "name" (a few words), "about" (one sentence that somebody could
write new such pairs by) and "aspects" (those of {aspects} that it is about)."""
INVENT = """An encoder of texts fails to see this: {about}

Write {count} new pairs of short captions{steered} that differ in this, and in nothing else. They must mean different
things. Answer with JSON alone: a list of pairs, each a list of two captions."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A hypothesis: a kind of difference that is not seen.

    Args:
        about: in a sentence.
        aspects: that it is about.
        pairs: that it was found in, closest first.
        share: of the scraped pairs that differ so; ``usual``: of random pairs.
    """

    name: str
    about: str
    aspects: tuple[str, ...]
    pairs: tuple[Pair, ...]
    share: float
    usual: float


def modes_of(scraped: Sequence[Pair], usual: Sequence[Pair]) -> list[Mode]:
    """One for every aspect in which a scraped pair differs; those that stand out from random pairs first."""
    aspects = sorted({aspect for pair in scraped for aspect in pair.difference.aspects})
    found = [_mode(aspect, ABOUT.get(aspect, OTHER.format(aspect)), (aspect,), scraped, usual) for aspect in aspects]
    return sorted(found, key=lambda one: one.usual - one.share)


def _mode(name: str, about: str, aspects: tuple[str, ...], scraped: Sequence[Pair], usual: Sequence[Pair]) -> Mode:
    own, others = ([pair for pair in pairs if {*aspects} & {*pair.difference.aspects}] for pairs in (scraped, usual))
    shares = {"share": len(own) / max(1, len(scraped)), "usual": len(others) / max(1, len(usual))}
    own.sort(key=lambda pair: len(pair.difference.aspects))  # those that differ in little say most
    return Mode(name=name, about=about, aspects=aspects, pairs=tuple(own), **shares)


@dataclass(frozen=True)
class Named:
    """What a language model answers with."""

    name: str
    about: str
    aspects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Categoriser:
    """A language model behind an endpoint with OpenAI's API, as in MultiMon (Tong et al. 2023, arXiv:2306.12105).

    Args:
        spec: see `sensorium.grounding.specs.spec_of`.

    Raises:
        InputError: the endpoint is not reached, or it answers with something else than it was asked for.
    """

    spec: ModelSpec

    @classmethod
    def at(cls, spec: ModelSpec) -> Categoriser:
        if not spec.is_endpoint:
            raise InputError(f"failures are named by an endpoint with OpenAI's API, not {spec.model!r}; give its URL")
        return cls(reached(spec))

    def modes(self, scraped: Sequence[Pair], usual: Sequence[Pair]) -> list[Mode]:
        aspects = sorted({aspect for pair in scraped for aspect in pair.difference.aspects})
        shown = (
            f"{pair.one.words} / {pair.other.words} [{', '.join(pair.difference.aspects)}]" for pair in scraped[:SHOWN]
        )
        said = self._asked(CATEGORISE.format(pairs="\n".join(shown), aspects=", ".join(aspects)), list[Named])
        found = []
        for one in said:
            known = tuple(aspect for aspect in one.aspects if aspect in aspects)
            found.append(_mode(one.name, one.about, known, scraped, usual))
        return sorted(found, key=lambda one: one.usual - one.share)

    def invented(self, mode: Mode, count: int, about: Sequence[str] = ()) -> list[tuple[str, str]]:
        """Captions that differ as a mode says, about some words if there are any."""
        steered = f" about {' or '.join(about)}" if about else ""
        said = self._asked(INVENT.format(about=mode.about, count=count, steered=steered), list[tuple[str, str]])
        return [(one, other) for one, other in said if one.strip() != other.strip()]

    def _asked(self, prompt: str, hint: Any) -> Any:
        try:
            from openai import OpenAI, OpenAIError
        except ImportError as error:
            raise InputError(
                "endpoints need the package openai; install it with `pip install 'sensorium[eval]'`"
            ) from error
        client = OpenAI(base_url=self.spec.url, api_key=key_of(self.spec))
        message: Any = {"role": "user", "content": prompt}
        try:
            reply = client.chat.completions.create(model=self.spec.model, messages=[message], temperature=0)
        except OpenAIError as error:
            raise InputError(f"{self.spec.url} could not be asked to name failures: {error}") from error
        text = reply.choices[0].message.content or ""
        with told(f"{self.spec.name} was asked for a list in JSON and said {text[:200]!r}", "; take another model"):
            return checked(json.loads(re.search(r"\[.*\]", text, re.DOTALL)[0]), hint, "it")  # ty: ignore
