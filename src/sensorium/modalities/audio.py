"""Sounds: arrays (samples, channels) float32 in -1..1 with a rate in Hz.

Opens and writes wav, flac, ogg with Opus, and mp3 through libsndfile (ogg with Vorbis is opened, too), resamples with
soxr. Samples beyond -1..1, which float files, decoders and resamplers give, are cut off there, as a loudspeaker would.

A sound is read in blocks that are brought to the wish at once, so an hour needs the memory of what is wished, not of
the file. What is longer than a sound may be is cut by `Audio.pieces`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soxr

from sensorium.modalities import audio_files, spectra
from sensorium.modalities.audio_words import WORDS
from sensorium.modalities.base import Modality, Wish
from sensorium.modalities.pauses import Piece, cut
from sensorium.source import Source
from sensorium.types import InputError, Signal

MOST_VALUES = 10**8
"""Samples of all channels together: an hour and three quarters at 16 kHz with one channel."""
MOST_CHANNELS = 32
RATES_HZ = (100, 768_000)
SCALES = {"int16": (0, 2**15), "int32": (0, 2**31), "int8": (0, 2**7), "uint8": (2**7, 2**7)}
"""Zero and full level of integers."""
LOUDEST = 16.0
"""Floats beyond it are no loud sound but numbers of another scale."""
MOST_DB = 60.0


class Audio(Modality):
    """Sounds of any kind; see the module's text."""

    name = "audio"
    noun = "sound"
    extensions = tuple(audio_files.SUFFIXES)
    media_types = (*audio_files.FORMATS, "audio/x-wav", "audio/mp3", "audio/opus", "audio/x-flac")
    writes: ClassVar[Mapping[str, str]] = audio_files.SUFFIXES
    max_bytes = 2**30
    viewer = "audio.js"
    words = WORDS

    def open(self, data: Any, wish: Wish = Wish()) -> Signal:
        """See `Modality.open`; a file of plain samples is read in blocks from where it lies, however large it is."""
        source = Source.of(data, self.called)
        if _lies_plain(source.data):
            return _read(source.data, source.where, wish)
        return super().open(source, wish)

    def pieces(self, data: Any, longest_s: float = 30.0, wish: Wish = Wish()) -> Iterator[Piece]:
        """A sound in parts, cut at its pauses where there are some.

        Args:
            data: as `open` takes it. A wav file of plain samples may be of any length: no more than a part of it is
                held at a time.
            longest_s: of a part, at least 1.

        Raises:
            InputError: see `open`.
        """
        source = Source.of(data, self.called)
        if not _lies_plain(source.data):
            whole = self.open(source, wish)
            yield from cut([whole.array], whole.rate_hz or 0, longest_s)
            return
        with audio_files.opened(source.data, source.where) as sound:
            rate_hz = wish.rate_hz or sound.samplerate
            yield from cut(_fitted(audio_files.blocks(sound), sound.samplerate, wish, source.where), rate_hz, longest_s)

    def read(self, data: bytes, where: str, wish: Wish = Wish()) -> Signal:
        """A file, brought to the wish while it is read.

        Raises:
            InputError: it is damaged, of no known kind, or longer than a sound may be.
        """
        if not audio_files.is_known(data[: audio_files.HEAD]):
            raise InputError(audio_files.unknown(where))
        return _read(data, where, wish)

    def is_risky(self, data: bytes) -> bool:
        """All but plain samples: decoders of compressed sound are native code, and a small file may last for days."""
        head = data[: audio_files.HEAD]
        return audio_files.is_known(head) and not audio_files.is_plain(head)

    def check(self, signal: Signal) -> Signal:
        """Arrays are (samples,) or (samples, channels), floats in -1..1, or integers of 8, 16 or 32 bits."""
        array, where = signal.array, "the sound"
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not (array.dtype.kind == "f" or array.dtype.name in SCALES):
            raise InputError(
                f"{where} must be floats in -1..1 with the shape (samples, channels), not {array.dtype} {array.shape}"
            )
        _check_channels(array.shape[1], where)
        if not array.size:
            raise InputError(f"{where} has no samples; give one that lasts")
        if signal.rate_hz is None:
            raise InputError(f"{where} is an array without a rate; say it, e.g. sm.Audio(array, rate_hz=16000)")
        rate_hz = _rate(signal.rate_hz, where)
        _check_length(array.size, array.shape[1], rate_hz, where)
        if array.dtype.kind != "f":
            zero, full = SCALES[array.dtype.name]
            array = (array.astype(np.float32) - zero) / full
        return Signal(_clipped(array, where, 0, rate_hz), rate_hz)

    def fit(self, signal: Signal, wish: Wish) -> Signal:
        """Resampled to a wished rate; several channels become one as their mean, one becomes several alike."""
        rate_hz, (count, channels) = signal.rate_hz or 0, signal.array.shape
        if wish.rate_hz in (None, rate_hz) and wish.channels in (None, channels):
            return signal
        starts = range(0, count, audio_files.BLOCK)
        given = (signal.array[start : start + audio_files.BLOCK] for start in starts)
        return _joined(_fitted(given, rate_hz, wish, "the sound"), wish.rate_hz or rate_hz, "the sound")

    def mend(self, signal: Signal) -> Signal:
        """Within -1..1, and silence where there is no number."""
        return signal.with_array(np.nan_to_num(signal.array).clip(-1, 1))

    def write(self, signal: Signal, media_type: str) -> bytes:
        """At the sound's own rate, or the next that the kind of file knows."""
        return audio_files.written(
            self.fit(signal, Wish(rate_hz=audio_files.rate_written_hz(signal.rate_hz or 0, media_type))), media_type
        )

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """A spectrogram: time to the right, tones from low to high in mel, loud is bright."""
        mono = signal.array.mean(1) if signal.array.shape[1] > 1 else signal.array[:, 0]
        return spectra.picture(mono, signal.rate_hz or 0, size_px, max(1, size_px // 2))

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Over the time that both last, as one channel at the lower rate of the two.

        ``si_sdr_db``: what of the other is the original at any level, beside what is not (Le Roux et al. 2019,
        arXiv:1811.02508), within 60 dB; it needs the same phases, which codecs that make sound anew do not keep.
        ``mel_difference_db``: mean of the absolute differences of 64 mel bands every 10 ms, as the mel distance by
        which sound codecs are trained and compared (Kumar et al. 2023, arXiv:2306.06546), in dB from a floor of -80.
        ``level_difference_db``: of their root mean squares, absolute, from a floor of -80 dB.
        """
        wish = Wish(rate_hz=min(original.rate_hz or 0, other.rate_hz or 0), channels=1)
        fitted = [self.fit(one, wish).array[:, 0] for one in (original, other)]
        count = min(map(len, fitted))
        one, two = (samples[:count].astype(np.float64) for samples in fitted)
        bands = [spectra.mel_db(samples.astype(np.float32), wish.rate_hz or 0) for samples in (one, two)]
        return {
            "si_sdr_db": si_sdr_db(one, two),
            "mel_difference_db": float(np.abs(bands[0] - bands[1]).mean()),
            "level_difference_db": abs(level_db(one) - level_db(two)),
        }

    def part_data(self, part: Mapping[str, Any]) -> Any | None:
        """Also of OpenAI's ``{"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}}``."""
        said = part.get("input_audio") if part.get("type") == "input_audio" else None
        if not isinstance(said, Mapping) or said.get("format") is None:
            return super().part_data(part)
        format_ = str(said["format"])
        kind = self.writes.get(f".{format_}".lower())
        if kind is None:
            known = ", ".join(suffix.removeprefix(".") for suffix in self.writes)
            raise InputError(f"a sound in the format {format_[:40]!r} is not opened; send one of {known}")
        return f"data:{kind};base64,{said.get('data', '')}"


def si_sdr_db(original: np.ndarray, other: np.ndarray) -> float:
    """Scale-invariant ratio of signal to distortion, of means of 0, within 60 dB."""
    one, two = original - original.mean(), other - other.mean()
    target = one * (one @ two / max(float(one @ one), 1e-20))
    error = float(np.square(two - target).sum())
    if error <= 1e-20 * len(one):  # nothing is left, as of silence beside silence
        return MOST_DB
    return float(np.clip(10 * np.log10(max(float(target @ target), 1e-20) / error), -MOST_DB, MOST_DB))


def level_db(samples: np.ndarray) -> float:
    """Root mean square in dB of full level, at least the floor of spectra."""
    return float(max(10 * np.log10(np.square(samples).mean() + 1e-20), spectra.FLOOR_DB))


def _lies_plain(data: Any) -> bool:
    """Whether this is the path of a file of plain samples; what else is wrong with a path, others say."""
    try:
        if not isinstance(data, Path) or not data.is_file():
            return False
        with data.open("rb") as file:
            return audio_files.is_plain(file.read(audio_files.HEAD))
    except (OSError, ValueError):  # a name with a null byte, too
        return False


def _read(file: bytes | Path, where: str, wish: Wish) -> Signal:
    with audio_files.opened(file, where) as sound:
        rate_hz = _rate(sound.samplerate, where)
        _check_channels(sound.channels, where)
        return _joined(_fitted(audio_files.blocks(sound), rate_hz, wish, where), wish.rate_hz or rate_hz, where)


def _joined(blocks: Iterable[np.ndarray], rate_hz: float, where: str) -> Signal:
    held, values = list[np.ndarray](), 0
    for block in blocks:
        values += block.size
        _check_length(values, block.shape[1], rate_hz, where)
        held.append(block)
    if not values:
        raise InputError(f"{where} has no samples at {rate_hz:g} Hz; give one that lasts longer")
    return Signal(np.concatenate(held), float(rate_hz))


def _fitted(blocks: Iterable[np.ndarray], rate_hz: float, wish: Wish, where: str) -> Iterator[np.ndarray]:
    """Blocks of one sound, within -1..1, with as many channels and at the rate that are wished."""
    stream, start = None, 0
    target_hz = _rate(wish.rate_hz or rate_hz, where)
    for block in blocks:
        mixed = _mixed(_clipped(block, where, start, rate_hz), wish.channels, where)
        start += len(block)
        if target_hz == rate_hz:
            yield mixed
            continue
        stream = stream or soxr.ResampleStream(rate_hz, target_hz, mixed.shape[1], dtype="float32", quality="HQ")
        yield stream.resample_chunk(mixed).clip(-1, 1)
        rest = mixed[:0]
    if stream is not None:
        yield stream.resample_chunk(rest, last=True).clip(-1, 1)


def _mixed(block: np.ndarray, channels: int | None, where: str) -> np.ndarray:
    found = block.shape[1]
    if channels in (None, found):
        return block
    if channels == 1:
        return block.mean(1, keepdims=True)
    if found == 1:
        return np.repeat(block, channels, 1)
    raise InputError(f"{where} has {found} channels, {channels} are needed; choose among them, or make it one")


def _clipped(array: np.ndarray, where: str, start: int, rate_hz: float) -> np.ndarray:
    """Within -1..1 as float32; ``start`` counts the samples before, for messages."""
    low, high = float(array.min()), float(array.max())
    if not np.isfinite(low + high):
        sample = start + int(np.argwhere(~np.isfinite(array))[0, 0])
        raise InputError(f"{where} has no number at {sample / rate_hz:.3f} s (NaN or infinite); mend it, or cut it out")
    loud = max(-low, high)
    if loud > LOUDEST:
        raise InputError(f"{where} has samples up to {loud:g}, and a sound lies in -1..1; divide it by its full level")
    array = array.astype(np.float32, copy=False)
    return array if loud <= 1 else array.clip(-1, 1)


def _check_channels(channels: int, where: str) -> None:
    if channels > MOST_CHANNELS:
        raise InputError(
            f"{where} has {channels} channels, at most {MOST_CHANNELS}; an array's shape is (samples, channels)"
        )


def _rate(rate_hz: float, where: str) -> float:
    least, most = RATES_HZ
    if not least <= rate_hz <= most or rate_hz != round(rate_hz):
        raise InputError(f"{where} has a rate of {rate_hz:g} Hz; sounds have a whole number from {least} to {most}")
    return float(rate_hz)


def _check_length(values: int, channels: int, rate_hz: float, where: str) -> None:
    if values > MOST_VALUES:
        longest_s = MOST_VALUES / channels / rate_hz
        raise InputError(
            f"{where} is longer than the {longest_s:.0f} s that a sound may last at {rate_hz:g} Hz with {channels} "
            "channels; cut it in parts: modality('audio').pieces(path) does so for wav files"
        )


audio = Audio()
