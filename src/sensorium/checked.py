"""What files say, checked before anything is made of it: types and ranges as they are annotated.

A range is written beside the type, where the field is: ``size_px: Annotated[int, Range(1, 4096)]``. Of a text or a list
it bounds the length.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sensorium.types import InputError

Kind = TypeVar("Kind")
MOST_BYTES = 64 * 2**20
"""Of a file of JSON."""
MOST_ITEMS = 2**16
"""Of a text or a list of which nothing else is said."""
SHOWN = 60
LAYERS = re.compile(r"^(?!max_).*(layers?|blocks?|depths?)$|^num_res")
"""Names that numbers of layers have in configs of networks."""


@dataclass(frozen=True)
class Range:
    """Least and greatest number, or length of a text or list, both allowed."""

    least: float
    most: float


NAME = Annotated[str, Range(0, 128)]
RATE_HZ = Annotated[float, Range(1e-9, 1e9)]


def checked(value: Any, hint: Any, where: str) -> Any:
    """A value of JSON as a type hint says; lists become tuples where these are hinted.

    Args:
        hint: a type, a union, a literal, a tuple or sequence, a mapping, a dataclass, `Any`; with a `Range` or without.
        where: what to call the value in messages.

    Raises:
        InputError: it is of another type or out of range; the message says which and what is allowed.
    """
    bounds = None
    if get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        bounds = next((one for one in more if isinstance(one, Range)), None)
    kind, inside = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return _any_of(value, inside, where)
    if kind is Literal:
        return value if value in inside else _refuse(value, f"one of {', '.join(map(repr, inside))}", where)
    if hint is Any:
        return value
    if is_dataclass(kind):
        if isinstance(value, kind):
            return value
        return kind(**checked_fields(kind, value, where))
    if kind in (tuple, list, Sequence):
        return _items(value, kind, inside, bounds or Range(0, MOST_ITEMS), where)
    if kind in (dict, Mapping):
        return _mapping(value, inside, bounds or Range(0, MOST_ITEMS), where)
    return _plain(value, kind, bounds, where)


def _plain(value: Any, kind: Any, bounds: Range | None, where: str) -> Any:
    """None, a truth value, a number or a text."""
    if kind in (None, NoneType):
        return None if value is None else _refuse(value, "null", where)
    if kind is bool:
        return value if isinstance(value, bool) else _refuse(value, "true or false", where)
    if kind is str:
        bounds = bounds or Range(0, MOST_ITEMS)
        fits = isinstance(value, str) and bounds.least <= len(value) <= bounds.most
        return value if fits else _refuse(value, f"a text of {_between(bounds)} characters", where)
    if kind not in (int, float):
        raise TypeError(f"{where}: what a {kind} is cannot be told from JSON")
    wanted = "a whole number" if kind is int else "a number"
    fits = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or (bounds and not bounds.least <= value <= bounds.most):
        _refuse(value, f"{wanted} of {_between(bounds)}" if bounds else wanted, where)
    return value


def _any_of(value: Any, hints: tuple[Any, ...], where: str) -> Any:
    errors = []
    for hint in sorted(hints, key=lambda one: one is not NoneType):
        try:
            return checked(value, hint, where)
        except InputError as error:
            errors.append(error)
    raise errors[-1]


def _items(value: Any, kind: Any, inside: tuple[Any, ...], bounds: Range, where: str) -> Any:
    if not isinstance(value, (list, tuple)):
        _refuse(value, "a list", where)
    if not bounds.least <= len(value) <= bounds.most:
        _refuse(value, f"a list of {_between(bounds)} items", where)
    if kind is tuple and inside and inside[-1] is not Ellipsis:
        if len(value) != len(inside):
            _refuse(value, f"a list of {len(inside)} items", where)
        return tuple(checked(one, hint, where) for one, hint in zip(value, inside, strict=True))
    hint = inside[0] if inside else Any
    found = [checked(one, hint, where) for one in value]
    return found if kind is list else tuple(found)


def _mapping(value: Any, inside: tuple[Any, ...], bounds: Range, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not bounds.least <= len(value) <= bounds.most:
        _refuse(value, "an object of JSON", where)
    hint = inside[1] if inside else Any
    return {str(key): checked(one, hint, f"{where}.{key:.40}") for key, one in value.items()}


def checked_fields(kind: Any, value: Any, where: str) -> dict[str, Any]:
    """Fields of a dataclass in an object of JSON; those that it does not know are refused.

    Raises:
        InputError: as `checked`, or a field is missing or unknown.
    """
    hints = _hints(kind)
    known = {one.name: hints[one.name] for one in fields(kind) if one.init}
    needed = [one.name for one in fields(kind) if _needed(one)]
    return _named(value, known, needed, where)


def checked_arguments(kind: type, value: Any, where: str) -> dict[str, Any]:
    """Keyword arguments of a class in an object of JSON, by the annotations of its constructor and its bases'."""
    known: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        if "__init__" in one.__dict__ and one is not object:
            hints = get_type_hints(one.__init__, include_extras=True)
            named = [name for name, p in inspect.signature(one.__init__).parameters.items() if p.kind not in (2, 4)]
            known |= {name: hints[name] for name in named if name in hints}
    return _named(value, known, [], where)


def _named(value: Any, known: Mapping[str, Any], needed: Sequence[str], where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _refuse(value, "an object of JSON", where)
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        raise InputError(f"{where} has {unknown!r:.{SHOWN}}, which is not known there; known: {', '.join(known)}")
    missing = next((name for name in needed if name not in value), None)
    if missing is not None:
        raise InputError(f"{where} has no {missing!r}")
    return {name: checked(one, known[name], f"{where}.{name}") for name, one in value.items()}


def _needed(field: Any) -> bool:
    missing = type(field.default).__name__, type(field.default_factory).__name__
    return field.init and missing == ("_MISSING_TYPE", "_MISSING_TYPE")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _refuse(value: Any, wanted: str, where: str) -> Any:
    shown = repr(value) if isinstance(value, (bool, int, float, NoneType)) else f"{value!r:.{SHOWN}}"
    said = shown if len(shown) < SHOWN else f"{shown[: SHOWN - 3]}..."
    raise InputError(f"{where} must be {wanted}, not {said}")


def _between(bounds: Range) -> str:
    return f"{bounds.least:g} to {bounds.most:.0f}" if bounds.most > 1 else f"{bounds.least:g} to {bounds.most:g}"


def check_sizes(config: Any, where: str, layers: int = 2**10) -> None:
    """InputError for a config of a network, as `transformers` has them, with a number that no network has.

    Layers are made one by one, before anybody sees that there are no weights for them, so their number is bounded more.

    Args:
        layers: most layers.
    """
    if isinstance(config, Mapping):
        for key, value in config.items():
            if _whole(value) and LAYERS.search(str(key)):
                checked(value, Annotated[int, Range(-layers, layers)], f"{where}.{key}")
            check_sizes(value, f"{where}.{key}", layers)
    elif isinstance(config, list):
        for value in config:
            check_sizes(value, where, layers)
    elif _whole(config):
        checked(config, Annotated[int, Range(-(2**24), 2**24)], where)
    elif isinstance(config, float) and math.isnan(config):
        _refuse(config, "a number", where)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_json(path: Path, infinite: bool = False) -> dict[str, Any]:
    """The object in a file of JSON.

    Args:
        infinite: whether a number may be infinite, as `transformers` writes some.

    Raises:
        InputError: it is missing, no file, too large, no JSON, or holds another thing or a number that is none.
    """
    with told(f"{path} is damaged", "; copy or write it again"):
        if not path.is_file():
            raise InputError("it is missing, or is no file")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"it has more than {MOST_BYTES} bytes")
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=float if infinite else _no_number)
        if not isinstance(found, dict):
            raise InputError("it holds no object of JSON")
    return found


def _no_number(text: str) -> Any:
    raise InputError(f"{text} is no number")


@contextmanager
def told(what: str, then: str = "", again: bool = True) -> Iterator[None]:
    """Whatever fails inside is told in one sentence that begins with ``what`` and ends with ``then``.

    For files of others, and libraries that read them and raise whatever they meet.

    Args:
        again: also an `InputError` is told so; else it passes as it is.

    Raises:
        InputError: something failed.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, InputError) and not again:
            raise
        # A library in Rust that gives up raises PanicException, which is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{what} ({reason}){then}") from error
