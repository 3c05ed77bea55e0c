"""Files of sound through libsndfile: read in blocks, so that a long one is never held as a whole, and written.

What a file is, its first bytes say; no reader of another kind is tried. Legend: blocks are (samples, channels) float32.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from sensorium.types import InputError, Signal

WAV, FLAC, OGG, MP3 = "audio/wav", "audio/flac", "audio/ogg", "audio/mpeg"
SUFFIXES: Mapping[str, str] = {".wav": WAV, ".flac": FLAC, ".ogg": OGG, ".opus": OGG, ".mp3": MP3}
FORMATS = {WAV: ("WAV", "PCM_16"), FLAC: ("FLAC", "PCM_16"), OGG: ("OGG", "OPUS"), MP3: ("MP3", "MPEG_LAYER_III")}
READ = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")
RATES_HZ = {
    OGG: (8000, 12000, 16000, 24000, 48000),
    MP3: (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
"""Those that the other kinds can be written at are all."""
BLOCK = 2**16
"""Samples of each channel that are read, brought nearer to a wish, or written at once."""
HEAD = 64
"""Bytes that tell the kind of a file."""
PLAIN = (b"\x01\x00", b"\x03\x00")
"""How a WAVE file marks samples as they are: integers, floats."""


def is_known(head: bytes) -> bool:
    """Whether a file begins like one of the kinds that are read."""
    mpeg = head[:3] == b"ID3" or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 == 0xE2)
    wave = head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"
    return mpeg or wave or head[:4] in (b"fLaC", b"OggS")


def is_plain(head: bytes) -> bool:
    """Whether a file holds its samples as they are, so that reading it decodes nothing."""
    return head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and head[20:22] in PLAIN


@contextmanager
def opened(file: bytes | Path, where: str) -> Iterator[soundfile.SoundFile]:
    """A file ready to be read.

    Raises:
        InputError: it is of no known kind, or damaged; also when that shows inside the block.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(file) if isinstance(file, bytes) else str(file)) as sound:
            if sound.format not in READ:
                raise InputError(unknown(where))
            yield sound
    except soundfile.SoundFileError as error:
        raise InputError(f"{where} is damaged or cut short; save it again") from error


def unknown(where: str) -> str:
    """The sentence about a file of no known kind."""
    return f"{where} is not a sound of a known kind; save it as wav, flac, ogg, opus or mp3"


def blocks(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The samples of an open file, as they are."""
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def rate_written_hz(rate_hz: float, media_type: str) -> float:
    """The rate at which a kind of file holds a sound: its own, or the next that the kind knows."""
    known = RATES_HZ.get(media_type, (round(rate_hz),))
    return next((rate for rate in known if rate >= rate_hz), known[-1])


def written(signal: Signal, media_type: str) -> bytes:
    """A canonical signal, at a rate that the kind of file knows, as a file.

    Raises:
        InputError: the kind does not hold such a sound, e.g. one of six channels.
    """
    format_, subtype = FORMATS[media_type]
    buffer, (count, channels) = io.BytesIO(), signal.array.shape
    try:
        with soundfile.SoundFile(
            buffer, "w", round(signal.rate_hz or 0), channels, format=format_, subtype=subtype
        ) as sound:
            for start in range(0, count, BLOCK):  # encoders of libsndfile crash on much at once
                sound.write(signal.array[start : start + BLOCK])
    except soundfile.SoundFileError as error:
        raise InputError(
            f"a sound of {channels} channels at {signal.rate_hz:g} Hz cannot be saved as {media_type}; "
            "save it as wav, or with one or two channels"
        ) from error
    return buffer.getvalue()
