"""Sounds with names: which programs of General MIDI, or which drums, each name stands for.

Numbers are those of General MIDI 1, programs from 0, drums as keys of the drum channel; fixed before anything was
measured. Left out are leads, pads and other sounds of synthesizers, and what few would name, such as the shamisen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MELODY, CHORDS, STROKES, ONCE = "melody", "chords", "strokes", "once"


@dataclass(frozen=True)
class Instrument:
    """What plays a kind.

    Args:
        programs: of General MIDI, 0 to 127.
        lowest, highest: its usual keys, 60 is the middle C.
        plays: notes in a row; these or chords; or what has no pitch to speak of, some times or once.
        drums: keys of the drum channel.
        kits: drum kits whose drums are taken.
    """

    programs: Sequence[int] = ()
    lowest: int = 60
    highest: int = 72
    plays: str = MELODY
    drums: Sequence[int] = ()
    kits: Sequence[int] = (0,)


ANY_KIT = (0, 16, 24, 25, 32)
"""Standard, power, electronic, TR-808 and jazz: their drums differ."""

INSTRUMENTS: Mapping[str, Instrument] = {
    "piano": Instrument((0, 1, 2, 3), 33, 96, CHORDS),
    "electric piano": Instrument((4, 5), 36, 90, CHORDS),
    "harpsichord": Instrument((6,), 36, 86, CHORDS),
    "glockenspiel": Instrument((9,), 72, 100),
    "music box": Instrument((10,), 60, 90, CHORDS),
    "vibraphone": Instrument((11,), 53, 89, CHORDS),
    "marimba": Instrument((12,), 45, 84),
    "xylophone": Instrument((13,), 65, 98),
    "bells": Instrument((14, 112), 60, 79),
    "organ": Instrument((16, 17, 18, 19, 20), 36, 88, CHORDS),
    "accordion": Instrument((21, 23), 53, 86, CHORDS),
    "harmonica": Instrument((22,), 60, 84, CHORDS),
    "guitar": Instrument((24, 25), 40, 79, CHORDS),
    "electric guitar": Instrument((26, 27, 28, 29, 30), 40, 79, CHORDS),
    "bass": Instrument((32, 33, 34, 35, 36, 37), 28, 52),
    "violin": Instrument((40, 110), 55, 91),
    "cello": Instrument((42,), 36, 69),
    "strings": Instrument((44, 48, 49), 40, 88, CHORDS),
    "harp": Instrument((46,), 36, 92, CHORDS),
    "kettledrum": Instrument((47,), 38, 57),
    "choir": Instrument((52, 53), 45, 79, CHORDS),
    "trumpet": Instrument((56, 59), 54, 82),
    "trombone": Instrument((57,), 40, 70),
    "tuba": Instrument((58,), 29, 53),
    "french horn": Instrument((60,), 41, 74),
    "brass band": Instrument((61,), 43, 79, CHORDS),
    "saxophone": Instrument((64, 65, 66, 67), 46, 80),
    "oboe": Instrument((68, 69), 58, 86),
    "bassoon": Instrument((70,), 34, 67),
    "clarinet": Instrument((71,), 50, 86),
    "flute": Instrument((72, 73), 62, 93),
    "recorder": Instrument((74,), 65, 89),
    "pan flute": Instrument((75,), 60, 88),
    "whistle": Instrument((78,), 67, 91),
    "ocarina": Instrument((79,), 60, 84),
    "sitar": Instrument((104,), 48, 74),
    "banjo": Instrument((105,), 50, 79, CHORDS),
    "bagpipe": Instrument((109,), 55, 74),
    "steel drum": Instrument((114,), 55, 81, CHORDS),
    "bass drum": Instrument(drums=(35, 36), kits=ANY_KIT),
    "snare drum": Instrument(drums=(38, 40), kits=ANY_KIT),
    "tom": Instrument((117,), 45, 70, STROKES, drums=(41, 43, 45, 47, 48, 50), kits=ANY_KIT),
    "hi-hat": Instrument(drums=(42, 44, 46), kits=ANY_KIT),
    "cymbal": Instrument(drums=(49, 51, 52, 55, 57, 59), kits=ANY_KIT),
    "hand clap": Instrument(drums=(39,), kits=(0, 25)),
    "tambourine": Instrument(drums=(54,)),
    "cowbell": Instrument(drums=(56,), kits=(0, 25)),
    "bongo": Instrument(drums=(60, 61)),
    "conga": Instrument(drums=(62, 63, 64)),
    "maracas": Instrument(drums=(70, 82)),
    "wood block": Instrument((115,), 55, 76, STROKES, drums=(76, 77)),
    "triangle": Instrument(drums=(80, 81)),
    "castanets": Instrument(drums=(85,)),
    "sleigh bells": Instrument(drums=(83,)),
    "telephone": Instrument((124,), 55, 67, STROKES),
    "helicopter": Instrument((125,), 52, 67, ONCE),
    "applause": Instrument((126,), 55, 67, ONCE),
    "gunshot": Instrument((127,), 52, 69, STROKES),
    "bird": Instrument((123,), 55, 67, STROKES),
    "sea": Instrument((122,), 52, 67, ONCE),
}

OWN = {"piano": (0, 1, 3), "electric piano": (5,), "music box": (10,), "cello": (42,)}
"""Programs that sound different in MuseScore_General; the others are the recordings of FluidR3Mono again."""

NOT_HELD_OUT: Sequence[int] = (35, 78)
"""Programs of TimGM6mb that are left out.

The fretless bass is more like that of FluidR3Mono than any other, and may be the same recording; the whistle is nine
semitones too low, and silent where a whistle is usual.
"""
