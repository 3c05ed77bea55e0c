"""Pictures that a model writes from words: whether what was wished is there.

It is looked for twice: in the codes, where they are a list of things, and in what is drawn of them, by the codec
`things` of this recipe, which learned to find things in the recipe's own pictures and never saw drawn ones. Beside it
stands what was written to another wish and, for what is drawn, the wish's own codes: more than that is not found. It
does not see what lies inside a ring, nor the texture of small things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from recipes.scenes.codec import SHAPE, SIDE_PX
from recipes.scenes.look import drawing
from recipes.scenes.wishes import fulfilled, wish

from sensorium.data.table import Side
from sensorium.evaluate import Results
from sensorium.evaluate.values import Share
from sensorium.families.things import Found, ThingsCodec
from sensorium.modalities import Wish, modality
from sensorium.types import Conversation, InputError, Part, as_message

MODEL, ANOTHER, OWN = "model", "written to another wish", "the wish's own codes"
IMAGE = "image"
Told = Mapping[str, bool]


def writes(model: Any, results: Results, side: Side, count: int) -> None:
    """Pictures to wishes of a side, one to each."""
    wished = [wish(Random(f"wished:{side}:{number}"), side) for number in range(count)]
    written = [written_to(model, one.words, IMAGE, seed) for seed, one in enumerate(wished)]
    pen = drawing()
    drawn = pen.decode([one.codes(pen) for one in wished])
    listed = [in_codes(model, part) for part in written]
    seen = {MODEL: found(pen, [part and part.data for part in written]), OWN: found(pen, drawn)}
    if None not in listed:
        compare(results, "picture, in its codes", fulfilled, wished, {MODEL: listed})
    compare(results, "picture, found in it", fulfilled, wished, seen)


def must_write(model: Any, kind: str, otherwise: str) -> None:
    """InputError, which tells what to do otherwise, when a model writes no media of a kind."""
    if not any(codec.facts.modality == kind and codec.facts.use != "read" for codec in model.codecs.values()):
        raise InputError(f"the model writes no {modality(kind).called}; {otherwise}, or take a model that does")


def written_to(model: Any, words: str, kind: str, seed: int) -> Part | None:
    """What a model writes to a wish; None where it is no medium of the kind."""
    reply = model.chat(Conversation((as_message("user", words),)), want=kind, seed=seed)
    return next((part for part in reply.parts if part.modality == kind), None)


def in_codes(model: Any, part: Part | None) -> list[Found] | None:
    """The things of which codes tell, nothing where nothing was written; None where codes are no list of them."""
    if part is None or part.codes is None or part.codec is None:
        return []
    codec = model.codecs[part.codec]
    return (
        codec.things(part.codes) if isinstance(codec, ThingsCodec) and codec.settings.values == SHAPE.values else None
    )


def found(codec: ThingsCodec, pictures: Sequence[Any]) -> list[list[Found]]:
    """What a codec finds in pictures; nothing in one that is not there."""
    kind, size = modality(IMAGE), Wish(size=(SIDE_PX, SIDE_PX))
    there = [number for number, one in enumerate(pictures) if one is not None]
    seen = codec.find([kind.open(pictures[number], size) for number in there])
    return [dict(zip(there, seen, strict=True)).get(number, []) for number in range(len(pictures))]


def compare(
    results: Results,
    measure: str,
    so: Callable[[Any, Any], Told],
    wished: Sequence[Any],
    shown: Mapping[str, Sequence[Any]],
) -> None:
    """What was shown to wishes by the model and others, beside what the model wrote to another wish.

    Args:
        so: what of a wish is so in one of those that are shown.
        wished: wishes of this recipe, or of another, with their ``words``.
        shown: one to each wish, by condition.
    """
    others, words = shown[MODEL], [one.words for one in wished]
    for condition, found in {**shown, ANOTHER: [*others[1:], *others[:1]]}.items():
        told = [so(one, own) for one, own in zip(wished, found, strict=True)]
        _tell(results, measure, condition, told, words)


def _tell(results: Results, measure: str, condition: str, told: Sequence[Told], items: Sequence[str]) -> None:
    """A row for each thing that wishes say: in how many of those that say it it is so."""
    for name in dict.fromkeys(name for one in told for name in one):
        right = [one[name] for one in told if name in one]
        asked = [item for item, one in zip(items, told, strict=True) if name in one]
        share = Share(sum(right), len(right), "".join("01"[hit] for hit in right))
        results.add(f"{measure}: {name}", condition, share, asked)
