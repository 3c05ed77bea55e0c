"""What is said: names of things in carrier phrases, everyday sentences, numbers, letters, sentences of a dictionary.

**Leak-free split**, by what is said, whoever says it: a name lies on the side of its concept's root, as the drawings of
that concept do (`recipes.pictograms.split`); every other text on the side of its own hash, and never in training where
it speaks of a concept that is held out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from recipes.pictograms.emoji import load_emoji
from recipes.pictograms.phrases import definite, phrase
from recipes.pictograms.split import root_of
from recipes.pictograms.split import split_of as split_of_root
from recipes.speech import words
from recipes.speech.numbers import spelled
from recipes.speech.sources import EMOJI_NAMES, WORDNET

from sensorium.data.fetch import fetch
from sensorium.data.table import split_of

LANGUAGES = ("en", "es")
SPANISH_SHARE = 0.35
ODDS: Mapping[str, float] = {"name": 0.42, "sentence": 0.22, "example": 0.24, "said": 0.04, "count": 0.08}
MOST_LETTERS = 64

_PLAIN = re.compile(r"[A-Za-zÁÉÍÓÚÑáéíóúüñ’' -]+")
_EXAMPLE = re.compile(r'"([A-Z]?[a-z][A-Za-z,;\' -]+[?!]?)"')


@dataclass(frozen=True, kw_only=True)
class Text:
    """One thing to say.

    Args:
        text: as it is written.
        language: "en" or "es".
        kind: a key of `ODDS`.
        concept: of a name, the thing's English label; "" elsewhere.
        split: "train", "val" or "test".
    """

    text: str
    language: str
    kind: str
    concept: str = ""
    split: str = "train"


@dataclass(frozen=True, kw_only=True)
class Name:
    """A thing's names by language, its English one being its label, and its side of the split."""

    names: Mapping[str, str]
    split: str

    @property
    def label(self) -> str:
        return self.names["en"]


class Texts:
    """Everything that can be said.

    Args:
        names: of things.
        examples: English sentences.
    """

    def __init__(self, names: Sequence[Name], examples: Sequence[str]):
        self.names = names
        self.examples = examples

    @classmethod
    def fetched(cls) -> Texts:
        """From the sources."""
        return cls(emoji_names(fetch(EMOJI_NAMES)), dictionary_examples(fetch(WORDNET)))

    def pick(self, random: Random, split: str, odds: Mapping[str, float] = ODDS) -> Text:
        """A text of this side, by chance."""
        while True:
            kind = random.choices(list(odds), list(odds.values()))[0]
            found = self._makers[kind](random)
            if found.split == split and len(found.text) <= MOST_LETTERS:
                return found

    def side(self, text: str) -> str:
        """The side of a text that is no name: held out with the concepts that it speaks of, else by its hash."""
        own = split_of(" ".join(re.findall(r"\w+", text.lower())))
        sides = {own, *(self._held_out[said] for said in self.held_out_in(text))}
        return next(side for side in ("test", "val", "train") if side in sides)

    def held_out_in(self, text: str) -> list[str]:
        """The names of held-out concepts that a text speaks of."""
        return self._mentions.findall(text.lower())

    @cached_property
    def _held_out(self) -> dict[str, str]:
        """Names that are not trained on, in small letters, with their side."""
        trained = {said.lower() for one in self.names if one.split == "train" for said in one.names.values()}
        held = {said.lower(): one.split for one in self.names if one.split != "train" for said in one.names.values()}
        return {said: side for said, side in held.items() if said not in trained}

    @cached_property
    def _mentions(self) -> re.Pattern[str]:
        longest_first = sorted(self._held_out, key=len, reverse=True)
        return re.compile(rf"\b({'|'.join(map(re.escape, longest_first)) or '(?!)'})\b")

    @cached_property
    def _makers(self) -> dict[str, Callable[[Random], Text]]:
        return {
            "name": self._name,
            "sentence": lambda random: self._other("sentence", _sentence, random),
            "example": lambda random: self._text(random.choice(self.examples), "en", "example"),
            "said": lambda random: self._other("said", lambda r, language: r.choice(words.SAID[language]), random),
            "count": lambda random: self._other("count", _counted, random),
        }

    def _name(self, random: Random) -> Text:
        one, language = random.choice(self.names), _language(random)
        carrier = random.choice(words.CARRIERS[language])
        return Text(
            text=carried(one, language, carrier), language=language, kind="name", concept=one.label, split=one.split
        )

    def _other(self, kind: str, make: Callable[[Random, str], str], random: Random) -> Text:
        language = _language(random)
        return self._text(make(random, language), language, kind)

    def _text(self, text: str, language: str, kind: str) -> Text:
        return Text(text=text, language=language, kind=kind, split=self.side(text))


def carried(name: Name, language: str, carrier: str) -> str:
    """A thing's name in a carrier phrase, such as ``draw {a}``."""
    said = name.names[language]
    if language != "en":
        return carrier.format(bare=said)
    return carrier.format(a=phrase(said), the=definite(said), bare=re.sub(r"^(?:an?|the) ", "", phrase(said)))


def emoji_names(folder: Path) -> list[Name]:
    """The names of emoji, without tones and symbols, from an unpacked ``emojibase-data``."""
    found: dict[str, Name] = {}
    for one in load_emoji(folder).values():
        names = {language: _speakable(one.names.get(language, "")) for language in LANGUAGES}
        if not one.tone and all(names.values()):
            found.setdefault(one.label, Name(names=names, split=split_of_root(root_of(one.base), one.group)))
    return list(found.values())


def _speakable(label: str) -> str:
    """A label that can be read aloud; a flag is its country's; "" where there are signs or digits in it."""
    label = label.replace("bandera: ", "Bandera: ").replace("Bandera: ", "bandera de ")
    bare = label.removeprefix("flag: ")
    if not _PLAIN.fullmatch(bare):
        return ""
    return label


def dictionary_examples(folder: Path) -> list[str]:
    """Example sentences of three words or more from an unpacked ``wordnet-base``, sorted."""
    found: set[str] = set()
    for file in sorted((folder / "usr" / "share" / "wordnet").glob("data.*")):
        for text in _EXAMPLE.findall(file.read_text(encoding="latin-1")):
            if len(text.split()) >= 3 and len(text) <= MOST_LETTERS:
                found.add(text.strip())
    return sorted(found)


def _language(random: Random) -> str:
    return "es" if random.random() < SPANISH_SHARE else "en"


def _sentence(random: Random, language: str) -> str:
    """Who did what to what, where or when."""
    who, did, where, when = (
        random.choice(one[language]) for one in (words.SUBJECTS, words.VERBS, words.PLACES, words.TIMES)
    )
    what = _thing(random, language)
    is_, ask = ("is", "where is {}?") if language == "en" else ("está", "¿dónde está {}?")
    told = f"{who} {did} {what}"
    ways = (f"{told} {where}", f"{when} {told}", f"{told} {when}", told, f"{where} {told}")
    return random.choice((*ways, f"{what} {is_} {where}", ask.format(what)))


def _thing(random: Random, language: str) -> str:
    thing, quality = random.choice(words.THINGS[language]), random.choice(words.QUALITIES[language])
    plain = random.random() < 0.4
    if language == "en":
        said = thing if plain else f"{quality} {thing}"
        return f"the {said}" if random.random() < 0.4 else phrase(said)
    masculine, _, feminine = quality.partition("/")
    return thing if plain else f"{thing} {feminine if feminine and thing.startswith('una ') else masculine}"


def _counted(random: Random, language: str) -> str:
    """Numbers and letters."""
    number = spelled(random.choice((random.randint(0, 20), random.randint(0, 99), random.randint(0, 999))), language)
    letter = random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    forms = {
        "en": (number, f"the number {number}", f"it costs {number} dollars", f"page {number}", f"the letter {letter}",
               f"room {number} on the left", f"{number} people were there", f"count to {number}"),
        "es": (number, f"el número {number}", f"son las cuentas: {number}", f"página {number}", f"la letra {letter}",
               f"habitación {number}", f"la respuesta es {number}", f"cuenta hasta {number}"),
    }  # fmt: skip
    return random.choice(forms[language])


def texts_of(texts: Texts, count: int, split: str, seed: str, odds: Mapping[str, float] = ODDS) -> Iterable[Text]:
    """``count`` texts of a side; number i depends on the seed and on i only."""
    return (texts.pick(Random(f"{seed}:{index}"), split, odds) for index in range(count))
