"""Codecs: signal to discrete codes and back."""

from sensorium.codecs.base import Codec, Facts, load_codec

__all__ = ["Codec", "Facts", "load_codec"]
