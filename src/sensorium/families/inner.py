"""Codecs inside other codecs: how they are told in a config and built again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

import numpy as np

from sensorium import plugins
from sensorium.checked import NAME, checked
from sensorium.codecs import Codec
from sensorium.types import InputError

Outer = TypeVar("Outer", bound=Codec)
FIRST, SECOND = "first", "second"
"""Name the codecs of a pair, in its config and before their tensors."""


def told(codec: Codec) -> dict[str, Any]:
    """Family and config."""
    return {"family": codec.family, "config": codec.config()}


def built(said: Any, place: str, outside: type[Codec], tensors: Mapping[str, np.ndarray]) -> Codec:
    """The codec that `told` told of.

    Args:
        place: its name in the config of the codec that holds it.
        outside: the class of that codec, which is not held by another of its kind.

    Raises:
        InputError: what is said is wrong.
    """
    inner = checked(said, Mapping[str, Any], place)
    kind = plugins.load(plugins.CODECS, checked(inner.get("family"), NAME, "family"))
    if issubclass(kind, outside):
        raise InputError(f"a codec of the family {outside.family!r} cannot hold another of its kind; give a plain one")
    return kind.build(inner.get("config"), dict(tensors))


def built_on(
    outside: type[Outer], place: str, config: Any, tensors: Mapping[str, np.ndarray], hints: Mapping[str, Any]
) -> Outer:
    """A codec that is made of another, its first argument, and of settings with these types.

    Raises:
        InputError: the config is wrong.
    """
    given = dict(checked(config, Mapping[str, Any], "config"))
    inner = built(given.pop(place, None), place, outside, tensors)
    no_more(given, set(hints), outside)
    settings: dict[str, Any] = {name: checked(value, hints[name], name) for name, value in given.items()}
    make: Any = outside
    return make(inner, **settings)


def put_together(parts: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The tensors of several parts of a codec, each under the name of its part."""
    return {f"{part}.{name}": one for part, tensors in parts.items() for name, one in tensors.items()}


def part_of(part: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of one part, as they were before `put_together`."""
    return {name.removeprefix(f"{part}."): one for name, one in tensors.items() if name.startswith(f"{part}.")}


def no_more(given: Mapping[str, Any], known: set[str], outside: type[Codec]) -> None:
    """InputError when a config has settings that the family does not know."""
    unknown = given.keys() - known
    if unknown:
        raise InputError(f"codecs of the family {outside.family!r} have no setting {min(unknown)!r}")


class PairCodec(Codec):
    """A codec that is made of two, and takes them and its ``name``: how it is told and built again.

    Attributes:
        first, second: the two.
    """

    first: Codec
    second: Codec

    def config(self) -> dict[str, Any]:
        parts = {FIRST: self.first, SECOND: self.second}
        return {"name": self.facts.name, **{part: told(one) for part, one in parts.items()}}

    def tensors(self) -> dict[str, np.ndarray]:
        """Those of both, each under its place."""
        parts = {FIRST: self.first, SECOND: self.second}
        return put_together({part: codec.tensors() for part, codec in parts.items()})

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        given = checked(config, Mapping[str, Any], "config")
        no_more(given, {FIRST, SECOND, "name"}, cls)
        parts = [built(given.get(part), part, cls, part_of(part, tensors)) for part in (FIRST, SECOND)]
        make: Any = cls
        return make(*parts, name=checked(given.get("name"), NAME, "name"))
