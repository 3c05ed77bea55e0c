"""What codes tell of sounds that are no speech: kinds from a few examples, what lies near to what, and names.

``python -m recipes sounds evaluate --out FOLDER``: no labels are learned from; a `kmeans` codec is trained on the other
sounds alone, over log-mel spectra and over what the encoder of Whisper base hears, and a kind is the mean of a few
examples (prototypes, Snell et al. 2017, arXiv:1703.05175). Takes of one thing never explain each other. Then the names
that the codec `sound-words` gives to notes of a soundfont that it has not heard (`recipes.sounds.naming`).

``... evaluate smol --out FOLDER`` asks a model the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from recipes.sounds.codec import LAYER
from recipes.sounds.naming import name_by_codec, name_by_model
from recipes.sounds.samples import Sound, folder, log_mel, read_sounds, told
from recipes.speech.spelled import EAR
from typer import Argument, Option

from sensorium import plugins
from sensorium.codecs import Codec, Media
from sensorium.evaluate import Results, rate
from sensorium.families.features import FEATURES, features
from sensorium.learning.learn import learn_codec

FEATURE = "log-mel"
HEARD = {"source": EAR, "layer": LAYER}
FOLDS = 3
SHOTS = (1, 2, 4)
NEAREST = 5


def evaluate(
    model: Annotated[str, Argument(help="Name, folder or Hub id of a model; without one, codecs are measured.")] = "",
    out: Annotated[Path, Option(help="Folder for the report.")] = Path("results/sounds"),
    codes: Annotated[int, Option(help="Of the codec, each 20 ms of sound.")] = 128,
    draws: Annotated[int, Option(help="How often examples are drawn.")] = 100,
    each: Annotated[int, Option(min=1, help="Notes of a name that are asked about.")] = 6,
    seed: int = 0,
) -> None:
    """Measure naming from few examples, retrieval, and names, from codes and from what they are made of."""
    if model:
        import sensorium

        results = Results(notes={"model": model, "each": each, "seed": seed})
        name_by_model(sensorium.load(model), results, each, seed)
    else:
        sounds = read_sounds(folder(), fewest=max(SHOTS) + 1)
        results = measure(sounds, all_views(sounds, codes, seed), draws, seed)
        results.notes["codes"] = codes
        name_by_codec(results, each, seed)
    results.save(out, "sounds")


@dataclass(frozen=True)
class View:
    """Sounds as points.

    Args:
        points: (sounds, D).
        asked: places of the sounds that are asked about; whoever made the points has not heard these.
    """

    points: np.ndarray
    asked: Sequence[int]


def all_views(sounds: Sequence[Sound], codes: int, seed: int) -> dict[str, list[View]]:
    """Sounds as codes tell them, and what these are made of."""
    plugins.register(FEATURES, FEATURE, log_mel)
    ear = features("heard", **HEARD)
    rows = {"spectra": [log_mel(one.signal) for one in sounds], "hearing": [ear(one.signal)[1] for one in sounds]}
    plain = {name: [View(told(one), range(len(sounds)))] for name, one in rows.items()}
    return {
        "codes of spectra": views_of_codes(sounds, codes, seed, FEATURE),
        "spectra, not coded": plain["spectra"],
        "codes of what Whisper base hears": views_of_codes(sounds, codes, seed, "heard", **HEARD),
        "what it hears, not coded": plain["hearing"],
    }


def measure(sounds: Sequence[Sound], views: Mapping[str, Sequence[View]], draws: int, seed: int) -> Results:
    """Few examples and neighbours in every view, and in the first with kinds shuffled."""
    kinds, groups = [one.kind for one in sounds], [one.group for one in sounds]
    results = Results(notes={"sounds": len(sounds), "draws": draws, "seed": seed})
    results.notes["kinds"] = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    mixed = np.random.default_rng(seed).permutation(kinds).tolist()
    first, seen = next(iter(views.items()))
    for condition, view, said in (
        *((name, one, kinds) for name, one in views.items()), (f"{first}, kinds shuffled", seen, mixed),
    ):  # fmt: skip
        for shots in SHOTS:
            right, which = few_shot(view, said, groups, shots, draws, seed)
            results.add(
                f"kind, {shots} of each heard, chance {100 / len(set(kinds)):.1f} %", condition, rate(right, which)
            )
        found, chance = precision(view, said, groups)
        results.add(f"precision at {NEAREST}, chance {100 * chance:.1f} %", condition, rate(found, range(len(found))))
    return results


def views_of_codes(sounds: Sequence[Sound], codes: int, seed: int, of: str, **settings: Any) -> list[View]:
    """For each fold of groups the sounds as a codec tells them that has heard only those of the other folds."""
    names = sorted({one.group for one in sounds})
    fold = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % FOLDS, strict=True))
    found = []
    for number in range(FOLDS):
        heard = Media.of([one.signal for one in sounds if fold[one.group] != number])
        codec = learn_codec(
            "kmeans", heard, minutes=1, codes=codes, modality="audio", name="sounds", use="read", of=of,
            say=lambda line: None, **settings,
        )  # fmt: skip
        asked = [place for place, one in enumerate(sounds) if fold[one.group] == number]
        found.append(View(told_by_codes(codec, sounds), asked))
    return found


def told_by_codes(codec: Codec, sounds: Sequence[Sound]) -> np.ndarray:
    """(sounds, 2 D): mean and deviation over time of what each code stands for."""
    rows_KD = codec.features(0)
    assert rows_KD is not None
    return told([rows_KD[codes] for codes in codec.encode([one.signal for one in sounds])])


def few_shot(
    views: Sequence[View], kinds: Sequence[str], groups: Sequence[str], shots: int, draws: int, seed: int
) -> tuple[list[float], list[int]]:
    """Whether the nearest prototype is right, and of which sound that is, draw after draw.

    Args:
        kinds, groups: of every sound; the examples of a kind are of different groups, and none is of the group asked.
    """
    right, which = [], []
    names = sorted(set(kinds))
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        chosen = [_examples(rng.permutation(len(kinds)).tolist(), kinds, groups, kind, shots) for kind in names]
        heard = {groups[place] for places in chosen for place in places}
        for view in views:
            means_PD = np.stack([view.points[places].mean(0) for places in chosen])
            for place in view.asked:
                if groups[place] not in heard:
                    best = int(likeness(view.points[place], means_PD).argmax())
                    right.append(float(names[best] == kinds[place]))
                    which.append(place)
    return right, which


def _examples(order: Sequence[int], kinds: Sequence[str], groups: Sequence[str], kind: str, shots: int) -> list[int]:
    """The first sounds of a kind in an order, one of a group."""
    by_group: dict[str, int] = {}
    for place in order:
        if kinds[place] == kind:
            by_group.setdefault(groups[place], place)
    return list(by_group.values())[:shots]


def precision(views: Sequence[View], kinds: Sequence[str], groups: Sequence[str]) -> tuple[list[float], float]:
    """For every sound the share of its nearest, other groups' ones, that are of its kind; and what chance gives."""
    found, chance = [], []
    for view in views:
        for place in view.asked:
            others = [other for other in range(len(kinds)) if groups[other] != groups[place]]
            order = np.argsort(-likeness(view.points[place], view.points[others]), kind="stable")[:NEAREST]
            found.append(float(np.mean([kinds[others[one]] == kinds[place] for one in order])))
            chance.append(float(np.mean([kinds[other] == kinds[place] for other in others])))
    return found, float(np.mean(chance))


def likeness(point_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
    """(N,) cosines."""
    sizes_N = np.linalg.norm(others_ND, axis=1) * np.linalg.norm(point_D)
    return others_ND @ point_D / np.maximum(sizes_N, 1e-9)
