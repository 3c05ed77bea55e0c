"""The `lexical` family: media to the words that fit them best, so that an LLM that has never seen a medium reads them.

A code is an entry of a lexicon, and a medium is its best few, the best first. The rows of a model's codes start at the
embeddings of their words, so a frozen LLM knows what they mean before it is trained at all, and training makes more of
them. Lexical codes for frozen LLMs are those of SPAE (Yu et al. 2023, arXiv:2306.17842); here the lexicon is what was
said of the media trained on. A `semantic` codec sees: its values, before they are quantised, are compared with a point
of each entry by cosine (CLIP, Radford et al. 2021, arXiv:2103.00020). Registered features see as well, such as those of
a pretrained encoder; where several see, their cosines are summed by weights that are learned. What has no word is lost;
the codec only reads.

Legend: N looks at media, C values of a look, W words, K codes of a medium.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.checked import NAME, Range, checked
from sensorium.codecs import Codec, Facts, Learning, Media
from sensorium.families.inner import built, no_more, part_of, put_together, told
from sensorium.families.semantic import SemanticCodec, told_apart
from sensorium.families.sight import FeatureSight
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

TABLE, SIGHT = "words", "sight"
CODES = 4
"""Entries of a medium, where nothing else is said."""
NOISE = (0.0, 0.3, 0.5, 0.7, 0.9)
"""Standard deviations of what is added to values while the table is learned (their own is about 1)."""
Sight = SemanticCodec | FeatureSight
Words = Annotated[list[Annotated[str, Range(1, 200)]], Range(2, 2**16)]
Most = Annotated[int, Range(1, 64)]


class LexicalCodec(Codec):
    """Media to words.

    Args:
        sight: the codec that sees, or features that do, or several of these.
        words: the lexicon, every entry once.
        points_WC: where in the values of ``sight`` each entry lies; only its direction counts.
        name: of the codec among those of a model.
        codes: K, entries of a medium.

    Raises:
        InputError: an entry is there twice, there are fewer than ``codes``, or the points do not fit.
    """

    family: ClassVar[str] = "lexical"
    suits: ClassVar[tuple[str, ...]] = SemanticCodec.suits
    uses: ClassVar[tuple[str, ...]] = ("read",)

    def __init__(
        self,
        sight: Codec | FeatureSight | Sequence[Codec | FeatureSight],
        words: Words,
        points_WC: np.ndarray,
        name: NAME = "image-words",
        codes: Most = CODES,
    ) -> None:
        self.sights = [_seeing(one) for one in (sight if isinstance(sight, Sequence) else [sight])]
        if not self.sights:
            raise InputError("a lexical codec needs something that sees: a codec of the family 'semantic', or features")
        self.blocks = tuple(map(_channels, self.sights))
        if len(set(words)) != len(words) or len(words) < codes:
            raise InputError(f"the lexicon needs at least {codes} words, each once; it has {len(words)}")
        if np.shape(points_WC) != (len(words), sum(self.blocks)):
            raise InputError(f"the points of {len(words)} words must be ({len(words)}, {sum(self.blocks)}) numbers")
        self.lexicon, self.points_WC = list(words), np.asarray(points_WC, np.float32)
        modalities, wishes = set(map(_modality, self.sights)), set(map(_wish, self.sights))
        if len(modalities) > 1:
            raise InputError(f"a lexical codec sees media of one modality, not of {' and '.join(sorted(modalities))}")
        seen = wishes.pop() if len(wishes) == 1 else Wish()
        self.facts = Facts(
            name=name,
            modality=modalities.pop(),
            codebook_sizes=(len(words),),
            grid=(codes,),
            max_frames=codes,
            use="read",
            wish=Wish(size=seen.size, rate_hz=seen.rate_hz, channels=seen.channels),
        )

    @property
    def sight(self) -> Sight:
        """What sees, or the first of what does."""
        return self.sights[0]

    def values(self, signals: Sequence[Signal]) -> np.ndarray:
        """(N, C) float32 of each medium: those of all that see, one after the other, each the mean over frames."""
        return np.concatenate([_values(sight, signals) for sight in self.sights], axis=1)

    def quantise(self, values_NC: np.ndarray) -> np.ndarray:
        """(N, K) the entries that fit best, the best first."""
        fit_NW = _seen(torch.from_numpy(np.asarray(values_NC, np.float32)), self.blocks) @ self._directions_WC.T
        best = torch.sort(fit_NW, dim=1, descending=True, stable=True).indices
        return best[:, : self.facts.max_frames].numpy()

    @cached_property
    def _directions_WC(self) -> Tensor:
        return F.normalize(torch.from_numpy(self.points_WC), dim=1)

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media to their best words.

        Raises:
            InputError: an array has other axes or channels than the codec, or is too long.
        """
        return list(self.quantise(self.values(signals))) if signals else []

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: words do not say how a medium looks or sounds; InputError."""
        raise self.only_reads(codes)

    def words(self, codebook: int) -> Sequence[str]:
        return self.lexicon

    @classmethod
    def learn(cls, media: Media, learning: Learning, *, of: str = "", **names: Any) -> LexicalCodec:
        """Train a `semantic` codec on the media, then the lexicon: words and whole texts that several media share.

        Args:
            of: features that see, in place of a codec, which learn nothing; ``names`` then hold their settings.

        Raises:
            InputError: hardly anything is said of the media, or the codec is to write.
        """
        own = {key: names.pop(key) for key in ("name", "codes") if key in names}
        own.setdefault("name", f"{names['modality']}-words")
        if (use := names.pop("use", "read")) != "read":
            raise InputError(f"a lexical codec only reads; it cannot be learned for the use {use!r}")
        sight: Sight
        looks: Sequence[np.ndarray] | np.ndarray
        if of:
            named = list(media.named())
            words_of, words = told_apart([text for _, text in named], cls.family)
            sight, looks = FeatureSight.fit([signal for signal, _ in named], of, **names)
        else:
            sight = SemanticCodec.learn(media, learning, **names)
            seen = [(_values(sight, [signal])[0], text) for signal, text in media.named()]
            words_of, words = told_apart([text for _, text in seen], cls.family)
            looks = [look for look, _ in seen]
        pairs = [(look, number) for look, numbers in zip(looks, words_of, strict=True) for number in numbers]
        values_NC, numbers = zip(*pairs, strict=True)
        own["codes"] = min(own.get("codes", CODES), len(words))
        return cls(sight, words, learn_points(np.stack(values_NC), numbers, len(words)), **own)

    def config(self) -> dict[str, Any]:
        return {
            "name": self.facts.name,
            "codes": self.facts.max_frames,
            "words": self.lexicon,
            SIGHT: _told(self.sight) if len(self.sights) == 1 else list(map(_told, self.sights)),
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Those of what sees, and the points, in half precision where that loses nothing."""
        parts = {_part(place): sight.tensors() for place, sight in enumerate(self.sights)}
        seeing = self.sight.tensors() if len(parts) == 1 else put_together(parts)
        half = self.points_WC.astype(np.float16)
        return {**seeing, TABLE: half if (half == self.points_WC).all() else self.points_WC}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> LexicalCodec:
        given, arrays = dict(checked(config, Mapping[str, Any], "config")), dict(tensors)
        if TABLE not in arrays:
            raise InputError("the points of the words are missing")
        points_WC = arrays.pop(TABLE)
        said = given.pop(SIGHT, None)
        if isinstance(said, list):
            sight = [_sight(one, part_of(_part(place), arrays)) for place, one in enumerate(said)]
        else:
            sight = _sight(said, arrays)
        words = checked(given.pop("words", None), Words, "words")
        hints: dict[str, Any] = {"name": NAME, "codes": Most}
        no_more(given, set(hints), cls)
        settings: dict[str, Any] = {name: checked(value, hints[name], name) for name, value in given.items()}
        return cls(sight, words, points_WC, **settings)


def _seeing(sight: Any) -> Sight:
    if not isinstance(sight, SemanticCodec | FeatureSight):
        raise InputError(f"a lexical codec sees through one of the family 'semantic', not {sight.family!r}")
    return sight


def _channels(sight: Sight) -> int:
    by_codec = isinstance(sight, SemanticCodec)
    return sight.settings.codes * len(sight.settings.levels) if by_codec else sight.channels


def _modality(sight: Sight) -> str:
    return sight.modality if isinstance(sight, FeatureSight) else sight.facts.modality


def _wish(sight: Sight) -> Wish:
    return sight.wish if isinstance(sight, FeatureSight) else sight.facts.wish


def _values(sight: Sight, signals: Sequence[Signal]) -> np.ndarray:
    """(N, C) of each medium, the mean over frames."""
    if isinstance(sight, FeatureSight) or not sight.settings.hop:
        return sight.values(signals)
    return np.stack([sight.values([signal]).mean(0) for signal in signals])


def _part(place: int) -> str:
    """Before the names of the tensors of one of several that see."""
    return f"{SIGHT}{place}"


def _told(sight: Sight) -> dict[str, Any]:
    return sight.told() if isinstance(sight, FeatureSight) else told(sight)


def _sight(said: Any, tensors: Mapping[str, np.ndarray]) -> Codec | FeatureSight:
    """The inverse of `_told`."""
    given = checked(said, Mapping[str, Any], SIGHT)
    return FeatureSight.of_told(given, tensors) if "of" in given else built(given, SIGHT, LexicalCodec, tensors)


def learn_points(
    values_NC: np.ndarray,
    words_N: Sequence[int],
    count: int,
    steps: int = 1500,
    batch: int = 512,
    seed: int = 0,
    blocks: Sequence[int] = (),
) -> np.ndarray:
    """(W, C) points such that a look, with noise, is nearest to its word among all, by cosine.

    Words are drawn evenly, then one of their looks, so that a word that is said often is no likelier than another.

    Args:
        values_NC: of looks at media.
        words_N: number of the word said of each.
        count: W; every word is said of at least one.
        blocks: how many of the C values each of several that see has, by whose weights the cosines are summed; one has
            all where nothing is said.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    blocks = blocks or (values_NC.shape[1],)
    order = np.argsort(np.asarray(words_N), kind="stable")
    counts = np.bincount(words_N, minlength=count)
    starts = np.cumsum(counts) - counts
    points = nn.Parameter(torch.randn(count, values_NC.shape[1]) * 0.1)
    sharpness = nn.Parameter(torch.full((len(blocks),), 2.5))
    optimizer = torch.optim.Adam([points, sharpness], lr=1e-2)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    for _ in range(steps):
        word_B = rng.integers(0, count, batch)
        looks = order[starts[word_B] + rng.integers(0, counts[word_B])]
        noise = rng.choice(NOISE, (batch, 1)) * rng.standard_normal((batch, values_NC.shape[1]))
        seen_BC = torch.from_numpy((values_NC[looks] + noise).astype(np.float32))
        fit_BW = _seen(seen_BC, blocks) @ _weighed(points, sharpness, blocks).T
        loss = F.cross_entropy(fit_BW, torch.from_numpy(word_B))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    return _weighed(points, sharpness, blocks).detach().numpy()


def _weighed(points_WC: Tensor, sharpness: Tensor, blocks: Sequence[int]) -> Tensor:
    """(W, C) directions of every block, times how much it counts."""
    parts = zip(points_WC.split(list(blocks), dim=1), sharpness.exp(), strict=True)
    return torch.cat([weight * F.normalize(part, dim=1) for part, weight in parts], dim=1)


def _seen(values_NC: Tensor, blocks: Sequence[int]) -> Tensor:
    """(N, C) directions of values, of each block apart, bounded as where they are quantised."""
    return torch.cat([F.normalize((0.8 * one).tanh(), dim=1) for one in values_NC.split(list(blocks), dim=1)], dim=1)
