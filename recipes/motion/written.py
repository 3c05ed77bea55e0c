"""Clips that a model writes from words: whether what was wished happens in them.

Three look: who reads the codes, where they are a list of things; the codec that lists the things of clips, which
learned from the recipe's own pictures; and the judge, a classifier of what the one thing in a clip does, which learned
from real clips (`recipes.motion.judge`). None of them has seen written ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from recipes.motion import judge
from recipes.motion.clips import FRAMES, RATE_HZ, SIDE_PX, Clip, done
from recipes.motion.questions import of_moved
from recipes.motion.wishes import Wished, wish
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import SHAPE
from recipes.scenes.look import drawing, finding
from recipes.scenes.written import ANOTHER, MODEL, OWN, compare, written_to

from sensorium.data.table import Side
from sensorium.evaluate import Results, judged
from sensorium.families.tracks import Row, TracksCodec
from sensorium.modalities import Wish, modality
from sensorium.types import Part, Signal

VIDEO, UNSAID = "video", "turns"
"""What lists of things have no words for."""


def writes(model: Any, results: Results, side: Side, atlas: Atlas, count: int) -> None:
    """Clips written to wishes for one thing, beside real ones and those written to another wish."""
    listed, clips = lister(model) is not None, judge.alone(side, "wished", atlas)
    wished = [clip for clip, _ in zip(filter(lambda clip: may_wish(clip, listed), clips), range(count), strict=False)]
    if listed:
        results.notes["clips: not wished for, since its codes cannot say it"] = UNSAID
    written = []
    for seed, clip in enumerate(wished):
        talk = of_moved("write", clip.facts, side, atlas, Random(seed))
        assert talk is not None
        written.append(frames(written_to(model, talk.said, VIDEO, seed)))
    shown = {MODEL: written, "a real clip": [clip.frames for clip in wished]}
    shown[ANOTHER] = written[1:] + written[:1]
    judged(results, "clip", judge.load(), shown, [done(clip.facts.events[0]) for clip in wished])


def may_wish(clip: Clip, listed: bool) -> bool:
    """Whether a writer of lists, or any other, could write it."""
    known = all(thing.name in SHAPE.values["name"] for thing in clip.facts.things)
    return not listed or (known and done(clip.facts.events[0]) != UNSAID)


def lister(model: Any) -> TracksCodec | None:
    """What a model writes lists of things by."""
    for codec in model.codecs.values():
        if isinstance(codec, TracksCodec) and codec.facts.use != "read":
            return codec if codec.picture.settings.values == SHAPE.values else None
    return None


def fulfils(model: Any, results: Results, side: Side, count: int) -> None:
    """Clips of one or two things written to wishes: whether all of that is so, in the codes and in what is drawn."""
    wished = [wish(Random(f"wished:{side}:{number}"), side) for number in range(count)]
    written = [written_to(model, one.words, VIDEO, seed) for seed, one in enumerate(wished)]
    codec, pen = lister(model), TracksCodec(drawing(), drawn_moments=FRAMES)
    if codec is not None:
        rows = [codec.rows(part.codes) if part and part.codes is not None else [] for part in written]
        compare(results, "clip, in its codes", Wished.is_in, wished, {MODEL: rows})
    drawn = [clip.array for clip in pen.decode([one.codes(pen) for one in wished])]
    seen = {MODEL: _listed([frames(part) for part in written]), OWN: _listed(drawn)}
    compare(results, "clip, found in it", Wished.is_in, wished, seen)


def _listed(clips: Sequence[np.ndarray]) -> list[list[Row]]:
    reader = TracksCodec(finding())
    return [reader.rows(codes) for codes in reader.encode([Signal(clip, rate_hz=RATE_HZ) for clip in clips])]


def frames(part: Part | None) -> np.ndarray:
    """(`FRAMES`, `SIDE_PX`, `SIDE_PX`, 3): cut, or the last frame held; white where nothing was written."""
    if part is None or part.data is None:
        return np.full((FRAMES, SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    found = modality(VIDEO).open(part.data, Wish(rate_hz=RATE_HZ, size=(SIDE_PX, SIDE_PX))).array[:FRAMES]
    return np.concatenate([found, found[-1:].repeat(FRAMES - len(found), axis=0)])
