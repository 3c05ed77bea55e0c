"""The `spelled` family: speech to the pieces of words that are said, so that any LLM hears at once.

A codec of the family `ctc`, or of a kin of it such as `whisper`, hears and spells; its letters are cut into pieces of
words (`sensorium.families.pieces`). A code is a piece, so a second of speech is about five codes, and a model's rows
start at the embeddings of words that an LLM knows. A pause says nothing. `SpelledCodec.in_tokens_of` takes the pieces
from an LLM's own tokenizer: to write down what is heard, and to say what is written, it then copies.

With a `Recogniser` it hears through that instead: the codes are then what a whole Whisper model writes down, in small
letters and without punctuation. The model does not lie with the codec.

Such a codec can learn to say its pieces in one voice (`SpelledCodec.with_voice`), see `sensorium.families.aloud`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from sensorium import plugins
from sensorium.checked import NAME, Range, checked
from sensorium.codecs import Codec, CodecStream, Facts, Learning, Media
from sensorium.families.aloud import PAUSE, Aloud, AloudConfig, Lesson, aligned, durations, learned_aloud
from sensorium.families.ctc import SLOTS, CtcCodec
from sensorium.families.inner import built, no_more, part_of, put_together, told
from sensorium.families.letters import BITS, Letters, likeliest
from sensorium.families.loudness import samples_of, whole_frames
from sensorium.families.net_codec import restored, rounded, stored
from sensorium.families.out_stream import OutStream
from sensorium.families.pieces import Cutter, Merges, in_signs, learn_merges, merges_of, pieces_of
from sensorium.families.recogniser import Recogniser
from sensorium.families.saying import Saying
from sensorium.types import InputError, Signal

CODES = 2000
MOST = 256
HEARING, VOICE, LETTERS, RECOGNISER = "hearing", "voice", "letters", "recogniser"
"""Name the inner codec, the network that says codes, what follows what, and who writes down, in the config and before
their tensors."""
LONE = re.compile(r"(?<!\w)'|'(?!\w)")
"""Apostrophes that are none: quotes."""
LOUD = 0.1
"""Root mean square of what it says."""
Most = Annotated[int, Range(1, 2**16)]


class SpelledCodec(Codec):
    """Speech to pieces of words.

    Args:
        hearing: the codec that hears and spells.
        merges: pairs of pieces that are one piece, in the order in which they were learned; signs are pieces as well.
        name: of the codec among those of a model.
        most: pieces of the longest text.
        voice: shape of the network that says codes, and the network, which is copied; None when it only reads.
        letters: which of them follow which, to choose by where the sound leaves a choice; None: by the sound alone.
        recogniser: what writes down what is said, in place of ``hearing``, which then only says what can be spelled
            and where a voice that learns finds its letters; None: ``hearing`` spells.

    Raises:
        InputError: ``hearing`` spells nothing, or a pair has a piece that is not known before it.
    """

    family: ClassVar[str] = "spelled"
    suits: ClassVar[tuple[str, ...]] = CtcCodec.suits
    uses: ClassVar[tuple[str, ...]] = ("read", "write")

    def __init__(
        self,
        hearing: Codec,
        merges: Merges,
        name: NAME = "audio-words",
        most: Most = MOST,
        voice: tuple[AloudConfig, Aloud] | None = None,
        letters: Letters | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        if not isinstance(hearing, CtcCodec):
            raise InputError(
                f"a spelled codec hears through one of the family 'ctc' or 'whisper', not {hearing.family!r}"
            )
        self.hearing, self.merges = hearing, [(left, right) for left, right in merges]
        self.pieces = pieces_of(hearing.settings.signs, self.merges)
        self.voice = voice and (voice[0], rounded(voice[1]))
        self.letters, self.recogniser = letters, recogniser
        self.facts = Facts(
            name=name,
            modality=hearing.facts.modality,
            codebook_sizes=(len(self.pieces),),
            max_frames=most,
            min_frames=0,
            use="both" if voice else "read",
            wish=hearing.facts.wish,
        )

    @property
    def device(self) -> Any:
        """Where it computes."""
        return self.hearing.device

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Sounds to the pieces of what is said in them.

        Raises:
            InputError: a sound has other channels than one, is too long, or more is said in it than the codec takes; or
                there is no recogniser where the codec names one.
        """
        if self.recogniser is not None:
            return [self._written(self.recogniser, signal) for signal in self.fitted(signals)]
        return [self.cut(self._heard(codes)) for codes in self.hearing.encode(signals)]

    def _written(self, recogniser: Recogniser, signal: Signal) -> np.ndarray:
        """Codes of what a recogniser writes, which hears no further than the codec takes."""
        text, codes, signs = "", np.zeros(0, np.int64), self.hearing.settings.signs
        for piece in recogniser.written(samples_of(signal, self.facts.name), signs):
            text = f"{text} {piece}"
            codes = self.cut(LONE.sub(" ", in_signs(text, signs)))
        return codes

    def _heard(self, codes: np.ndarray) -> str:
        if self.letters is None:
            return self.hearing.spell([codes])[0]
        return likeliest(self.hearing.chances(codes).cpu().numpy(), self.hearing.settings.signs, self.letters)

    def cut(self, text: str) -> np.ndarray:
        """(G,) codes of a text; signs that the codec cannot spell part words.

        Raises:
            InputError: it has more pieces than the codec takes.
        """
        codes = np.array(self._cutter.cut(in_signs(text, self.hearing.settings.signs)), np.int64)
        if len(codes) > self.facts.max_frames:
            raise InputError(
                f"{len(codes)} pieces of words are said at once, codec {self.facts.name!r} takes at most "
                f"{self.facts.max_frames}; cut it at a pause"
            )
        return codes

    def spell(self, codes: Sequence[np.ndarray]) -> list[str]:
        """What codes say."""
        return ["".join(self.pieces[code] for code in self.layout.check(one)).strip() for one in codes]

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to sounds in the one voice; InputError when it has none."""
        if self.voice is None:
            raise self.only_reads(codes)
        return [self._said(text) for text in self.spell(codes)]

    def _said(self, text: str) -> Signal:
        stream = _SpelledStream(self)
        return stream.sound(np.concatenate([stream.saying.add(text), stream.saying.rest()]))

    def stream(self) -> CodecStream | None:
        """From codes to sound, a few words behind; None when it has no voice."""
        return None if self.voice is None else _SpelledStream(self)

    def with_voice(
        self, media: Media, learning: Learning, pronounced: Iterable[tuple[str, str]] = (), **names: Any
    ) -> SpelledCodec:
        """The same codes in a codec that says them, too, in the voice of the media; it hears as before.

        Args:
            media: sounds of one speaker with what is said in them; those without words are left out.
            pronounced: texts with how they are pronounced, in signs of one character each: letters then learn from
                each other how they sound in words that the speaker never says.
            names: of `AloudConfig`.
        """
        signs, rate_hz = self.hearing.settings.signs, self.hearing.settings.rate_hz
        config = AloudConfig(letters="".join(dict.fromkeys(PAUSE + signs)), rate_hz=rate_hz, **names)
        told = [(in_signs(text, signs), said) for text, said in pronounced]
        voice = learned_aloud(config, self._lessons(media, config), told, learning)
        return self.but(voice=(config, voice))

    def in_tokens_of(self, tokenizer: Any, texts: Iterable[str] = (), codes: int = CODES) -> SpelledCodec:
        """The same codec with pieces that are tokens of an LLM, those that texts need most, then the LLM's first ones.

        Args:
            tokenizer: of transformers.
            codes: most pieces, those of one sign included.

        Raises:
            InputError: the tokenizer does not encode by pairs.
        """
        signs = self.hearing.settings.signs
        return self.but(merges=merges_of(tokenizer, (in_signs(text, signs) for text in texts), signs, codes))

    def but(self, **changed: Any) -> SpelledCodec:
        """The same codec with other arguments of the class."""
        own: dict[str, Any] = {
            "hearing": self.hearing,
            "merges": self.merges,
            "name": self.facts.name,
            "most": self.facts.max_frames,
            "voice": self.voice,
            "letters": self.letters,
            "recogniser": self.recogniser,
        }
        return SpelledCodec(**own | changed)

    def _lessons(self, media: Media, config: AloudConfig) -> Iterator[Lesson]:
        """Sounds whose text can be found in them."""
        settings = self.hearing.settings
        rows = settings.hop * settings.pace
        for signal, text in media.named():
            text = in_signs(text, settings.signs)
            (fitted,) = self.fitted([signal])
            chances_TS = self.hearing.chances(self.hearing.encode([fitted])[0]).cpu().numpy()
            signs_L = np.array([settings.signs.index(sign) + 1 for sign in text])
            if not text or len(chances_TS) < len(text) + (signs_L[1:] == signs_L[:-1]).sum():
                continue
            _, samples = whole_frames(fitted, rows, self.facts.name)
            mel_NM = config.spectra.log_mel(torch.from_numpy(samples)[None])[0].T.numpy()
            slots_L = aligned(chances_TS, signs_L)
            yield Lesson(text, durations(slots_L, rows / SLOTS / config.hop, len(mel_NM)), mel_NM)

    def words(self, codebook: int) -> Sequence[str]:
        return self.pieces

    @cached_property
    def _cutter(self) -> Cutter:
        return Cutter(self.pieces, self.merges)

    @classmethod
    def of(cls, hearing: Codec, texts: Iterable[str], codes: int = CODES, **names: Any) -> SpelledCodec:
        """A codec that hears through another, its pieces and which letters follow which learned from texts.

        Args:
            codes: most pieces, those of one sign included.
            names: other arguments of the class.
        """
        signs = hearing.settings.signs if isinstance(hearing, CtcCodec) else ""
        cleaned = [in_signs(text, signs) for text in texts]
        letters = Letters.of(cleaned, signs) if len(signs) < 2**BITS - 1 else None
        return cls(hearing, learn_merges(cleaned, signs, codes), letters=letters, **names)

    @classmethod
    def learn(cls, media: Media, learning: Learning, *, hearing: NAME = "whisper", **names: Any) -> SpelledCodec:
        """Train a codec that hears on the media, and learn the pieces from what is said in them.

        Args:
            hearing: family of the codec that hears, to which go ``names`` that are not of this class.
        """
        own = {key: names.pop(key) for key in ("name", "most") if key in names}
        own.setdefault("name", f"{names['modality']}-words")
        heard = plugins.load(plugins.CODECS, hearing).learn(media, replace(learning, codes=None), **names)
        return cls.of(heard, (text for _, text in media.named()), learning.codes or CODES, **own)

    def config(self) -> dict[str, Any]:
        return {
            "name": self.facts.name,
            "most": self.facts.max_frames,
            "merges": [list(pair) for pair in self.merges],
            HEARING: told(self.hearing),
        } | {name: asdict(one) for name, one in self._later() if one is not None}

    def _later(self) -> list[tuple[str, Any]]:
        return [(VOICE, self.voice and self.voice[0]), (RECOGNISER, self.recogniser)]

    def tensors(self) -> dict[str, np.ndarray]:
        """Those of the codec that hears, of the network that says, and counts of letters."""
        parts = {HEARING: self.hearing.tensors(), VOICE: stored(self.voice[1]) if self.voice else {}}
        if self.letters is not None:
            parts[LETTERS] = {"runs": self.letters.runs_R, "counts": self.letters.counts_R}
        return put_together(parts)

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> SpelledCodec:
        given = dict(checked(config, Mapping[str, Any], "config"))
        hearing = built(given.pop(HEARING, None), HEARING, cls, part_of(HEARING, tensors))
        voice, writes = given.pop(VOICE, None), given.pop(RECOGNISER, None)
        hints: dict[str, Any] = {"name": NAME, "most": Most, "merges": Merges}
        no_more(given, set(hints), cls)
        settings: dict[str, Any] = {name: checked(value, hints[name], name) for name, value in given.items()}
        spoken = None if voice is None else _voice(checked(voice, AloudConfig, VOICE), part_of(VOICE, tensors))
        recogniser = None if writes is None else checked(writes, Recogniser, RECOGNISER)
        counts = part_of(LETTERS, tensors)
        spells = isinstance(hearing, CtcCodec) and counts
        letters = Letters(hearing.settings.signs, counts["runs"], counts["counts"]) if spells else None
        return cls(
            hearing, settings.pop("merges", []), **settings, voice=spoken, letters=letters, recogniser=recogniser
        )


class _SpelledStream(OutStream):
    """Gives the sound of words once the next ones stand."""

    def __init__(self, codec: SpelledCodec) -> None:
        super().__init__(codec)
        assert codec.voice is not None
        self.codec, self.saying = codec, Saying(*codec.voice)

    def pull(self, codes: np.ndarray) -> Signal | None:
        return self._some(self.saying.add("".join(self.codec.pieces[code] for code in codes)))

    def rest(self) -> Signal | None:
        return self._some(self.saying.rest())

    def _some(self, samples_S: np.ndarray) -> Signal | None:
        return self.sound(samples_S) if len(samples_S) else None

    def sound(self, samples_S: np.ndarray) -> Signal:
        loud = np.clip(LOUD * samples_S, -1, 1).astype(np.float32)
        return Signal(loud[:, None], self.saying.config.rate_hz)


def _voice(config: AloudConfig, tensors: Mapping[str, np.ndarray]) -> tuple[AloudConfig, Aloud]:
    return config, restored(lambda: Aloud(config), tensors)
