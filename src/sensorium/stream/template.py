"""Chat templates, rendered within bounds: a template comes with a model's folder, so it may be anybody's program.

It is rendered in Jinja's sandbox as `transformers` does, with less in it: what it makes is small, it ends within
seconds, and it has only those filters and methods whose results cannot grow beyond what they are given.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.defaults import DEFAULT_FILTERS
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.utils import Namespace

from sensorium.types import InputError

MOST_SOURCE = 256 * 1024
"""Characters of a template."""
MOST_MADE = 4 * 2**20
"""Characters and items of everything that one rendering makes."""
MOST_ITEMS = 100_000
"""Characters, items or bits of a single thing of another kind than text."""
MOST_S = 1.5
"""Of a thread's own computing: on a busy machine it may be waiting for long."""

FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby", "int",
    "items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "safe",
    "select", "selectattr", "sort", "string", "sum", "title", "trim", "unique", "upper", "wordcount",
)  # fmt: skip
METHODS = {
    str: {
        "capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower", "isnumeric",
        "isspace", "isupper", "join", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace",
        "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title",
        "upper",
    },
    list: {"count", "index"},
    tuple: {"count", "index"},
    dict: {"get", "items", "keys", "values"},
}  # fmt: skip


class _Spent:
    """What a rendering has made, and until when it may go on."""

    def __init__(self) -> None:
        self.made, self.until = 0, time.thread_time() + MOST_S

    def add(self, count: int) -> None:
        """SecurityError when it is too much or takes too long."""
        self.made += count
        if self.made > MOST_MADE:
            raise SecurityError(f"it makes more than {MOST_MADE} characters and items")
        if time.thread_time() > self.until:
            raise SecurityError(f"it takes longer than {MOST_S:g} s")


_spent: ContextVar[_Spent] = ContextVar("spent")


def _spend(count: int) -> None:
    _spent.get().add(count)


def _size(thing: Any) -> int:
    return len(thing) if isinstance(thing, (str, list, tuple, dict)) else 1


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    """What a loop goes through, step by step."""
    for item in items:
        _spend(1)
        yield item


def _whole(container: Any) -> Any:
    """A list, tuple or dict that is small with all that is in it, which may hold the same thing again and again."""
    todo, count = [container], 0
    while todo:
        one = todo.pop()
        count += 1 if not isinstance(one, str) else 1 + len(one) // 16
        if count > MOST_ITEMS:
            raise SecurityError(f"it makes a list of more than {MOST_ITEMS} items")
        if isinstance(one, Mapping):
            todo += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            todo += one
    _spend(count)
    return container


def _joined_size(separator: str, items: Sequence[Any]) -> int:
    return len(separator) * len(items) + sum(_size(one) for one in items)


def _replaced_size(text: str, old: str, new: str) -> int:
    return len(text) + (text.count(old) if old else len(text) + 1) * len(new)


def _concatenated(pieces: Iterable[Any]) -> str:
    """Pieces of text in one; also the output of a template, a macro, a block."""
    found = []
    for piece in pieces:
        found.append(str(piece))
        _spend(len(found[-1]) + 1)
    return "".join(found)


def _replace(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = str(text), str(old), str(new)
    _spend(_replaced_size(text, old, new))
    return text.replace(old, new, -1 if count is None else count)


def _join(items: Iterable[Any], d: Any = "", attribute: Any = None) -> str:
    if attribute is not None:
        raise SecurityError("the filter join takes no attribute here")
    found = [str(one) for one in _counted(items)]
    _spend(_joined_size(str(d), found))
    return str(d).join(found)


def _tojson(
    x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    if (isinstance(indent, str) and len(indent) > 16) or (isinstance(indent, int) and indent > 16):
        raise SecurityError("it indents JSON too far")
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose work and result count; one that says what it wants first, e.g. the environment, keeps it so."""

    def called(*args: Any, **kwargs: Any) -> Any:
        _spend(1 + sum(_size(one) for one in args[:2]))
        found = function(*args, **kwargs)
        _spend(_size(found))
        return _whole(found) if isinstance(found, (list, tuple, dict)) else found

    for name in ("jinja_pass_arg", "jinja_async_variant"):
        if hasattr(function, name):
            setattr(called, name, getattr(function, name))
    return called


class _Generation(Extension):
    """``{% generation %}`` marks what the assistant says; here it is written as it is."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Names(Namespace):
    """A namespace without names of Python's inner life."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError(f"a namespace holds no name like {name:.40}")
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        return "<Namespace>"  # with what is in it, it could be of any length


class Bounded(ImmutableSandboxedEnvironment):
    """Jinja's sandbox within the bounds of this file."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(_concatenated)

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols], optimized=False, cache_size=0
        )
        self.filters = {name: _bounded(DEFAULT_FILTERS[name]) for name in FILTERS}
        self.filters |= {"replace": _bounded(_replace), "join": _bounded(_join), "tojson": _bounded(_tojson)}
        self.filters |= {"_counted": _counted, "_whole": _whole, "_concatenated": _concatenated}
        self.globals = {
            "range": self.globals["range"],
            "dict": dict,
            "namespace": _Names,
            "raise_exception": _refused,
            "strftime_now": _now,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The tree, in which loops are counted and what is put together is measured."""
        return _measured(super()._parse(source, name, filename))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        known = next((names for kind, names in METHODS.items() if isinstance(obj, kind)), None)
        return super().is_safe_attribute(obj, attr, value) and (known is None or attr in known)

    def wrap_str_format(self, value: Any) -> Any:
        if getattr(value, "__name__", "") in ("format", "format_map") and isinstance(value.__self__, str):
            raise SecurityError("it formats text by a pattern")
        return None

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        _spend(1)
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str):
            _spend(len(owner))
            if name == "replace":
                _spend(_replaced_size(owner, *(str(one) for one in args[:2])))
            if name == "join":
                args = ([str(one) for one in _counted(args[0])],)
                _spend(_joined_size(owner, args[0]))
        found = super().call(context, obj, *args, **kwargs)
        if isinstance(found, range):
            return found
        return _whole(found) if isinstance(found, (list, tuple, dict)) else _paid(found)

    def getitem(self, obj: Any, argument: Any) -> Any:
        found = super().getitem(obj, argument)
        return _paid(found) if isinstance(argument, slice) else found

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str) and not re.fullmatch("(?:[^%]|%[sd%])*", left):
            raise SecurityError("it formats text by a pattern")
        if operator == "+":
            return _whole(left + right) if isinstance(left, (list, tuple)) else _paid(_added(left, right))
        sizes = [_size(one) if isinstance(one, (str, list, tuple)) else None for one in (left, right)]
        if operator == "*" and any(size is not None for size in sizes):
            size, times = (sizes[0], right) if sizes[0] is not None else (sizes[1], left)
            _spend(max(0, (size or 0) * times))
            made = left * right
            return made if isinstance(made, str) else _whole(made)
        bits = [one.bit_length() if isinstance(one, int) else 0 for one in (left, right)]
        if (operator == "*" and sum(bits) > MOST_ITEMS) or (operator == "**" and bits[0] * abs(right) > MOST_ITEMS):
            raise SecurityError("it makes too large a number")
        return _paid(super().call_binop(context, operator, left, right))


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        _spend(len(left) + len(right))
    return left + right


def _paid(found: Any) -> Any:
    _spend(_size(found))
    return found


def _refused(message: str) -> None:
    raise TemplateError(message)


def _now(format: str) -> str:
    if re.search(r"%[^a-zA-Z%]*\d", format) or len(format) > 200:
        raise SecurityError("it formats the time too far")
    return datetime.now().strftime(format)


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _measured(node: Any) -> Any:
    """A tree with a measure around every loop's items and every list, tuple, dict and concatenation that is made."""
    for name, value in node.iter_fields():
        if isinstance(value, list):
            setattr(node, name, [_measured(one) if isinstance(one, nodes.Node) else one for one in value])
        elif isinstance(value, nodes.Node):
            setattr(node, name, _measured(value))
    if isinstance(node, nodes.For):
        node.iter = _filtered(node.iter, "_counted")
    if isinstance(node, nodes.Concat):
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_concatenated")
    made = isinstance(node, (nodes.List, nodes.Tuple, nodes.Dict)) and getattr(node, "ctx", "load") == "load"
    return _filtered(node, "_whole") if made else node


class ChatTemplate:
    """A chat template of a tokenizer.

    Args:
        source: Jinja.
        names: texts that it may use, e.g. ``eos_token``.
    """

    def __init__(self, source: str, names: Mapping[str, Any]):
        self.source, self.names = source, dict(names)

    def __reduce__(self) -> tuple[Any, ...]:
        return ChatTemplate, (self.source, self.names)  # without what was compiled, for other processes

    @cached_property
    def _render(self) -> Callable[..., str]:
        if len(self.source) > MOST_SOURCE:
            raise InputError(f"the model's chat template has more than {MOST_SOURCE} characters")
        return partial(Bounded().from_string(self.source).render, **self.names)

    def render(self, messages: Sequence[Mapping[str, str]], reply: bool, tools: Sequence[Any] = ()) -> str:
        """The messages in the template's form.

        Args:
            reply: end with the opening of an assistant's turn.
            tools: that the template may tell the model of, as JSON.

        Raises:
            InputError: it refuses them, is damaged, or goes beyond the bounds.
        """
        given = [dict(message) for message in messages]
        token = _spent.set(_Spent())
        try:
            return self._render(messages=given, tools=list(tools) or None, documents=None, add_generation_prompt=reply)
        except InputError:
            raise
        except Exception as error:  # a template may raise anything
            said = " ".join(str(error).split())[:300] or type(error).__name__
            raise InputError(f"the model's chat template refuses this conversation: {said}") from error
        finally:
            _spent.reset(token)
