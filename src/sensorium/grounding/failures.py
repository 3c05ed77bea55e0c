"""Systematic failures of codecs and encoders, found without looking for any in particular.

MultiMon (Tong, Jones and Steinhardt 2023, arXiv:2306.12105): scrape pairs that are encoded alike though they differ,
put them into modes, write new pairs of each mode, and count how many of those are confused, too. Here facts or captions
say whether two differ, and the new pairs of media are held out, since no template can render them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from sensorium.evaluate import Gap, Share
from sensorium.grounding.changing import Changing
from sensorium.grounding.encoders import Encoder
from sensorium.grounding.material import Pair, Sample, captioned, halves, read_material
from sensorium.grounding.modes import Categoriser, Mode, modes_of
from sensorium.grounding.scraping import Encoded
from sensorium.types import InputError

USUAL = 1000
"""Random pairs that say how often an aspect differs anyway."""
MOST_HELD_OUT = 3000
"""Held-out samples of which all pairs are looked through."""
MOST_SCRAPED = 2000
HELD_OUT, TEMPLATES = "held out", "templates"


@dataclass(frozen=True, kw_only=True)
class Verified:
    """New pairs of a mode.

    Args:
        origin: "held out", "templates", or the model that wrote them.
        confused, same: how many are taken for the same, and how many have the very same codes.
        distance: mean.
        over: how much more often they are confused than random pairs that differ.
        pairs: those confused first, closest first.
    """

    origin: str
    confused: Share
    same: Share
    distance: float
    over: Gap
    pairs: tuple[Pair, ...]

    def to_json(self, examples: int) -> dict[str, Any]:
        numbers = {"confused": self.confused.to_json(), "same": self.same.to_json(), "over": self.over.to_json()}
        shown = [pair.to_json() for pair in self.pairs[:examples]]
        return {"origin": self.origin, **numbers, "distance": round(self.distance, 4), "examples": shown}


@dataclass(frozen=True, kw_only=True)
class Failures:
    """A search for failures.

    Args:
        material: folders of media with captions, files of facts or of texts.
        held_out: others to check on; where there are none, half of the material is held out.
        about: words of which differences are to name one; empty for all.
        near: distance at most which two are taken for confused; the encoder's own where None.
        most: new pairs of a mode.
        categoriser: names the modes and writes captions; None for templates.
    """

    encoder: Encoder
    material: Sequence[Path]
    held_out: Sequence[Path] = ()
    about: Sequence[str] = ()
    near: float | None = None
    most: int = 500
    seed: int = 0
    categoriser: Categoriser | None = None

    def found(self, say: Callable[[str], None] = print) -> Found:
        """Everything that was found.

        Raises:
            InputError: nothing differs, a medium is missing or cannot be encoded, or the categoriser does not answer.
        """
        first, second = self._halves()
        near = self.encoder.near if self.near is None else self.near
        say(f"encoding {len(first)} to look through and {len(second)} held out")
        ours, theirs = (Encoded.of(self.encoder, one, self.about) for one in (first, second))
        scraped, usual = ours.scraped(near, MOST_SCRAPED), ours.random(USUAL, self.seed)
        if not scraped:
            named = f" in something about {' or '.join(self.about)}" if self.about else ""
            raise InputError(f"no two of the {len(first)} samples differ{named}; give others, or more")
        modes = self.categoriser.modes(scraped, usual) if self.categoriser else modes_of(scraped, usual)
        say(f"{sum(pair.distance <= near for pair in scraped)} pairs confused; checking {len(modes)} modes")
        control = theirs.random(self.most, self.seed)
        known = Found(
            encoder=self.encoder, near=near, counts=(len(first), len(second)), scraped=tuple(scraped), about=self.about,
            control=self._verified("random", control, None), modes=[], nothing=None,
        )  # fmt: skip
        new = theirs.minimal()
        if new.get(""):
            known.nothing = self._verified("nothing differs", self._some(new[""]), known.control.confused)
        for mode in modes:
            known.modes.append((mode, list(self._checked(mode, new, theirs, known.control.confused))))
        return known

    def _halves(self) -> tuple[list[Sample], list[Sample]]:
        samples = read_material(self.material)
        first, second = (samples, read_material(self.held_out)) if self.held_out else halves(samples)
        if self.encoder.reads == "media" and any(one.medium is None for one in (*first, *second)):
            raise InputError(f"{self.encoder.name} encodes media, and there are texts alone; give facts or a folder")
        if min(len(first), len(second)) < 2:
            raise InputError(f"{len(samples)} samples are too few to look for pairs in; give more")
        if len(second) > MOST_HELD_OUT:
            places = np.linspace(0, len(second) - 1, MOST_HELD_OUT).astype(int)
            second = [second[place] for place in places]
        return first, second

    def _some(self, pairs: Sequence[Pair]) -> list[Pair]:
        return list(pairs) if len(pairs) <= self.most else Random(self.seed).sample(list(pairs), self.most)

    def _checked(self, mode: Mode, new: dict[str, list[Pair]], held: Encoded, control: Share) -> Iterator[Verified]:
        kept = self._some([pair for aspect in mode.aspects for pair in new.get(aspect, ())])
        if kept:
            yield self._verified(HELD_OUT, kept, control)
        if self.encoder.reads == "texts":
            made = list(self._by_templates(mode, held))
            if made:
                yield self._verified(TEMPLATES, self._encoded(made), control)
            if self.categoriser:
                texts = self.categoriser.invented(mode, min(self.most, 50), self.about)
                if texts:
                    pairs = [(captioned(one), captioned(other)) for one, other in texts]
                    yield self._verified(self.categoriser.spec.name, self._encoded(pairs), control)

    def _by_templates(self, mode: Mode, held: Encoded) -> Iterator[tuple[Sample, Sample]]:
        changing, random = Changing([one.facts for one in held.samples]), Random(self.seed)
        made = 0
        for sample in random.sample(list(held.samples), len(held.samples)):
            for aspect in mode.aspects:
                other = changing.changed(sample.facts, aspect, random)
                if other is not None and made < self.most and held.wanted(sample.facts, other):
                    made += 1
                    yield Sample(sample.facts), Sample(other)

    def _encoded(self, pairs: Sequence[tuple[Sample, Sample]]) -> list[Pair]:
        held = Encoded.of(self.encoder, [one for pair in pairs for one in pair])
        return [held.pair(2 * n, 2 * n + 1) for n in range(len(pairs))]

    def _verified(self, origin: str, pairs: Sequence[Pair], control: Share | None) -> Verified:
        near = self.encoder.near if self.near is None else self.near
        confused = self.encoder.confused(pairs, near)
        share = Share(sum(confused), len(pairs))
        order = sorted(range(len(pairs)), key=lambda n: (not confused[n], pairs[n].distance))
        return Verified(
            origin=origin,
            confused=share,
            same=Share(sum(pair.distance == 0 for pair in pairs), len(pairs)),
            distance=float(np.mean([pair.distance for pair in pairs])) if pairs else float("nan"),
            over=Gap.of(share, control or share),
            pairs=tuple(pairs[n] for n in order),
        )


@dataclass(kw_only=True)
class Found:
    """Args:
    counts: samples looked through, and held out.
    control: random held-out pairs that differ; ``nothing``: held-out pairs of which nothing is known to differ.
    modes: each with its new pairs by origin.
    """

    encoder: Encoder
    near: float
    counts: tuple[int, int]
    scraped: tuple[Pair, ...]
    about: Sequence[str]
    control: Verified
    nothing: Verified | None
    modes: list[tuple[Mode, list[Verified]]]

    @property
    def collisions(self) -> int:
        return sum(pair.distance == 0 for pair in self.scraped)

    @property
    def confused(self) -> int:
        return sum(pair.distance <= self.near for pair in self.scraped)
