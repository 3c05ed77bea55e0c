"""Codecs: signals to discrete codes and back."""

from sensorium.codecs.base import Codec, CodecStream, in_text, load_codec
from sensorium.codecs.facts import Facts, Measured, Use, check_name
from sensorium.codecs.layout import Layout, Place, Ranges
from sensorium.codecs.learning import Learning, Media

__all__ = [
    "Codec",
    "CodecStream",
    "Facts",
    "Layout",
    "Learning",
    "Measured",
    "Media",
    "Place",
    "Ranges",
    "Use",
    "check_name",
    "in_text",
    "load_codec",
]
