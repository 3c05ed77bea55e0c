"""Questions about colour, number, direction, shape and expression, derived from a picture's English name.

Only what the name itself states is asked, so every answer is certain. Yes/no forms are balanced: as many
"no" as "yes", the wrong value being drawn from the same list of values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

Kind = Literal["colour", "number", "time", "direction", "shape", "expression"]

COLOURS = (
    "red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white", "grey", "pink", "light blue",
)  # fmt: skip
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DIRECTIONS = ("left", "right", "up", "down", "up left", "up right", "down left", "down right")
SHAPES = ("circle", "square", "triangle", "diamond", "star", "heart", "arrow", "crescent")
EXPRESSIONS = (
    "grinning", "beaming", "laughing", "winking", "kissing", "smirking", "smiling", "crying", "frowning", "angry",
    "enraged", "pouting", "weary", "tired", "worried", "confused", "fearful", "disappointed", "astonished", "neutral",
    "sleeping", "sleepy", "yawning", "thinking", "drooling", "sneezing", "vomiting", "grimacing", "hushed", "flushed",
    "pleading", "anguished", "anxious", "relieved", "pensive", "unamused", "shushing", "screaming",
)  # fmt: skip
VALUES: dict[Kind, tuple[str, ...]] = {
    "colour": COLOURS,
    "number": NUMBERS[:6],
    "time": tuple(f"{n} o’clock" for n in NUMBERS) + tuple(f"{n}-thirty" for n in NUMBERS),
    "direction": DIRECTIONS,
    "shape": SHAPES,
    "expression": EXPRESSIONS,
}

# The same answers in the other languages; the bare word, so that no gender has to agree.
_COLOURS_ELSEWHERE = {
    "fr": "rouge, orange, jaune, vert, bleu, violet, marron, noir, blanc, gris, rose, bleu clair",
    "es": "rojo, naranja, amarillo, verde, azul, morado, marrón, negro, blanco, gris, rosa, celeste",
    "de": "rot, orange, gelb, grün, blau, lila, braun, schwarz, weiß, grau, rosa, hellblau",
    "it": "rosso, arancione, giallo, verde, blu, viola, marrone, nero, bianco, grigio, rosa, azzurro",
}
ELSEWHERE: dict[str, dict[str, str]] = {
    language: dict(zip(COLOURS, words.split(", "), strict=True)) for language, words in _COLOURS_ELSEWHERE.items()
}
COLOUR_ELSEWHERE = {"fr": "Quelle couleur ?", "es": "¿Qué color?", "de": "Welche Farbe?", "it": "Che colore?"}

_COLOUR = re.compile(r"\b(light blue|red|orange|yellow|green|blue|purple|brown|black|white|gr[ea]y|pink)\b", re.I)
_NOT_A_COLOUR = re.compile(
    r"black bird|blueberr|orangutan|green salad|white cane|blood orange|white house|black nib", re.I
)
_TIME = re.compile(rf"^({'|'.join(NUMBERS)})(?: o[’']clock|-thirty)$")
_COUNT = re.compile(r"^(two|three|four|five|six) ([a-z]+s)$")
_MEMBERS = re.compile(r"^(?:family|kiss|couple with heart): ([a-z]+(?:, [a-z]+)+)$")
_COUNTS = {"two-hump camel": ("humps", "two"), "four leaf clover": ("leaves", "four"), "two hearts": ("hearts", "two")}
_DIRECTION = (
    (re.compile(r"^(up|down)-(left|right) arrow$"), "{0} {1}"),
    (re.compile(r"^(left|right|up|down) arrow$"), "{0}"),
    (re.compile(r"\b(?:pointing|pointed|facing|tilted|pushing) (left|right|up|down)\b"), "{0}"),
    (re.compile(r"\b(left|right)-(?:facing|pointing)\b"), "{0}"),
    (re.compile(r"^(left|right|up|down)wards "), "{0}"),
    (re.compile(r"^thumbs (up|down)$"), "{0}"),
    (re.compile(r"\b(?:arrow|chevron|hand|angle|caret)s? (left|right|up|down)$"), "{0}"),
)
_SHAPE = re.compile(r"\b(circle|square|triangle|diamond|star|heart|arrow|crescent)s?\b")
_NOT_A_SHAPE = re.compile(
    r"bow|arrows|couple|star of|star-|anatomical|David|heart-eyes|with heart|hearts|fish|heart hands"
)
_EXPRESSION = re.compile(rf"\b({'|'.join(EXPRESSIONS)})\b")
_FACE = re.compile(r"\b(face|cat|person|man|woman|monkey|moon|sun|baby|emoji|smiley)\b")
_JOY = re.compile(r"tears of joy|laughing")


@dataclass(frozen=True)
class Attribute:
    """What a name states: ``Attribute("colour", "heart", "red")``."""

    kind: Kind
    subject: str
    value: str


@cache
def attributes(label: str) -> tuple[Attribute, ...]:
    """Everything that a name states about colour, number, time, direction, shape and expression."""
    finders = (_colour, _time, _number, _direction, _shape, _expression)
    return tuple(found for finder in finders if (found := finder(label)) is not None)


def ask(attribute: Attribute, random: Random) -> tuple[str, str]:
    """A question and its answer: open, or yes/no with equal odds for both answers."""
    if random.random() < 0.6:
        return OPEN[attribute.kind].format(attribute.subject), attribute.value
    if random.random() < 0.5:
        return CLOSED[attribute.kind].format(attribute.subject, attribute.value), "yes"
    wrong = random.choice([value for value in VALUES[attribute.kind] if value != attribute.value])
    return CLOSED[attribute.kind].format(attribute.subject, wrong), "no"


def ask_elsewhere(attribute: Attribute, language: str) -> tuple[str, str] | None:
    """The colour question in French, Spanish, German or Italian, or None for other attributes."""
    if attribute.kind != "colour":
        return None
    return COLOUR_ELSEWHERE[language], ELSEWHERE[language][attribute.value]


OPEN: dict[Kind, str] = {
    "colour": "What colour is the {}?",
    "number": "How many {}?",
    "time": "What time is it?",
    "direction": "Which direction?",
    "shape": "What shape is it?",
    "expression": "What expression?",
}
CLOSED: dict[Kind, str] = {
    "colour": "Is the {0} {1}?",
    "number": "Are there {1} {0}?",
    "time": "Is it {1}?",
    "direction": "Does it point {1}?",
    "shape": "Is it a {1}?",
    "expression": "Is the {0} {1}?",
}


def _colour(label: str) -> Attribute | None:
    found = _COLOUR.findall(label)
    if len(found) != 1 or _NOT_A_COLOUR.search(label) or label.startswith(("flag", "family")):
        return None
    value = found[0].lower().replace("gray", "grey")
    after = _COLOUR.split(label)[2]
    subject = re.split(r"[:,(]| (?:with|pointed|pointing|on|in|of|and|for) ", after)[0].strip()
    subject = re.sub(r"^(?:large|small|medium|medium-small|paper) ", "", subject)
    return Attribute("colour", subject, value) if re.fullmatch(r"[a-z][a-z -]+", subject) else None


def _time(label: str) -> Attribute | None:
    return Attribute("time", "", label.replace("'", "’")) if _TIME.match(label) else None


def _number(label: str) -> Attribute | None:
    if label in _COUNTS:
        return Attribute("number", *_COUNTS[label])
    if count := _COUNT.match(label):
        return Attribute("number", count[2], count[1])
    if members := _MEMBERS.match(label):
        return Attribute("number", "people", NUMBERS[members[1].count(",")])
    return None


def _direction(label: str) -> Attribute | None:
    for pattern, form in _DIRECTION:
        if found := pattern.search(label):
            return Attribute("direction", "", form.format(*found.groups()))
    return None


def _shape(label: str) -> Attribute | None:
    found = _SHAPE.findall(label)
    if len(found) != 1 or _NOT_A_SHAPE.search(label) or " with " in label:
        return None
    return Attribute("shape", "", found[0])


def _expression(label: str) -> Attribute | None:
    face = _FACE.search(label)
    if face is None:
        return None
    if _JOY.search(label):
        return Attribute("expression", face[1], "laughing")
    found = _EXPRESSION.search(label)
    return Attribute("expression", face[1], found[1]) if found else None
