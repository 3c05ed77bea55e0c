"""What form the text of an answer has: a JSON schema, a regular expression, one of given texts, a grammar.

A form says nothing of ids. `sensorium.stream.spelling` turns it into ids that may come, with the library llguidance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import prod
from typing import Any

from sensorium.types import InputError

MAX_BYTES = 65_536
MAX_DEPTH = 60
"""Of schemas: what is in use is far below, and compiling takes time and memory."""
MAX_MULTIPLE = 10_000
"""An automaton that tells multiples of N has N states, and of several numbers as many as their product."""
MAX_CHOICES = 10_000
WRITING = {
    "whitespace_flexible": False,  # a small model would go on with blanks for ever
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": '"\\bfnrt',  # without \\u, which can spell half of a character
    "coerce_one_of": True,
}
"""How JSON is written, as most programs do; see llguidance's JsonCompileOptions."""
LARGEST = 10**15
"""Numbers that a schema does not bound are written up to here: beyond, readers of JSON lose digits."""
LIST = {"type": "array", "items": {"$ref": "#/$defs/any"}}
OBJECT = {"type": "object", "additionalProperties": {"$ref": "#/$defs/any"}}
ANY = {"anyOf": [{"type": ["string", "boolean", "null", "number"]}, LIST, {"$ref": "#/$defs/object"}]}
ANY_OBJECT = OBJECT | {"$defs": {"any": ANY, "object": OBJECT}}
"""Any JSON object, whose numbers are bounded as those of other schemas are."""
ONE = {"items", "additionalProperties", "additionalItems", "not", "contains", "propertyNames", "if", "then", "else"}
SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems", "items"}
NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
"""Keywords below which there is a schema, a list of schemas, schemas by name."""
MERGED = {"allOf", "unevaluatedProperties", "$dynamicRef", "$recursiveRef"}
"""Keywords by which one object's keys are said in several places."""


@dataclass(frozen=True)
class Form:
    """The form of an answer's text.

    Args:
        lark: a grammar in llguidance's dialect of Lark, whose rule ``start`` is the whole text
            (https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md).
        media: the model may also write media where the text may end; else an answer is text alone.
    """

    lark: str
    media: bool = False

    @classmethod
    def of(cls, value: Form | Mapping[str, Any] | type | str) -> Form:
        """A form, or what a JSON schema is given as: a mapping, its text, a pydantic model.

        Raises:
            InputError: it is none of these, or a schema that is refused; see `schema`.
        """
        if isinstance(value, Form):
            return value
        if schema_of := getattr(value, "model_json_schema", None):
            return cls.schema(schema_of())
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise InputError(f"the schema is not JSON: {error}") from error
        if not isinstance(value, Mapping):
            raise InputError(f"a form is a JSON schema, a pydantic model or a Form, not {value!r:.80}")
        return cls.schema(value)

    @classmethod
    def schema(cls, schema: Mapping[str, Any], lenient: bool = False) -> Form:
        """JSON that fits a schema.

        Keys that an object's ``properties`` do not name are written only where ``additionalProperties`` says so.

        Args:
            lenient: leave out keywords that cannot be enforced instead of refusing them.

        Raises:
            InputError: it is too large or too deep; what it cannot mean is told when it is compiled.
        """
        return cls(f"start: {json_rule(schema, lenient)}")

    @classmethod
    def json(cls) -> Form:
        """Any JSON object."""
        return cls(f"start: {json_rule(ANY_OBJECT)}")

    @classmethod
    def regex(cls, pattern: str) -> Form:
        """Text that a regular expression (of Rust's regex, without look-around) matches as a whole."""
        _check_size(pattern, "the regular expression")
        slashes = re.sub(r"\\.|/", lambda found: "\\/" if found[0] == "/" else found[0], pattern, flags=re.DOTALL)
        return cls(f"start: /{slashes}/".replace("\n", "\\n"))

    @classmethod
    def choices(cls, texts: Sequence[str]) -> Form:
        """One of given texts."""
        if not 0 < len(texts) <= MAX_CHOICES or not all(texts):
            raise InputError(f"a choice is among 1 to {MAX_CHOICES} texts, none of them empty")
        return cls("start: " + " | ".join(json.dumps(text, ensure_ascii=False) for text in texts))


def json_rule(schema: Mapping[str, Any], lenient: bool = False) -> str:
    """The right side of a grammar's rule for JSON that fits a schema; see `Form.schema`."""
    schema = json.loads(json_text(schema))
    if _depth(schema) > MAX_DEPTH:
        raise InputError(f"the schema is more than {MAX_DEPTH} levels deep; make it flatter, or refer to parts by $ref")
    nodes = list(_nodes(schema))
    if prod({_digits(node["multipleOf"]) for node in nodes if "multipleOf" in node}) > MAX_MULTIPLE:
        raise InputError(f"the schema's multipleOf is beyond what can be enforced; ask for {MAX_MULTIPLE} at most")
    if not any(node.keys() & MERGED for node in nodes):
        for node in nodes:
            _close_object(node)
            _bound_number(node)
    return "%json " + json.dumps(schema | {"x-guidance": WRITING | {"lenient": lenient}}, ensure_ascii=False)


def json_text(schema: Mapping[str, Any]) -> str:
    """A schema as JSON; InputError when it is none, or too large."""
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the schema is not JSON ({error}); give a JSON schema") from error
    _check_size(text, "the schema")
    return text


def _check_size(text: str, what: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InputError(f"{what} has {size} bytes, at most {MAX_BYTES} are allowed")


def _depth(value: Any) -> int:
    """Levels of objects and lists."""
    deepest, waiting = 0, [(1, value)]
    while waiting:
        level, node = waiting.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, level)
            waiting += [(level + 1, one) for one in (node.values() if isinstance(node, dict) else node)]
    return deepest


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and those in it."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield node
        for keyword, value in node.items():
            if isinstance(value, list) and keyword in SEVERAL:
                waiting += value
            elif isinstance(value, dict) and keyword in NAMED:
                waiting += value.values()
            elif keyword in ONE:
                waiting.append(value)


def _digits(multiple: Any) -> int:
    """Of a multiple without its power of ten."""
    if not isinstance(multiple, int | float) or isinstance(multiple, bool) or multiple <= 0:
        raise InputError(f"multipleOf is {multiple!r:.40}, it must be a number above 0")
    return int("".join(map(str, Decimal(str(multiple)).as_tuple().digits)).rstrip("0") or 1)


def _close_object(node: dict[str, Any]) -> None:
    """An object that does not speak of further keys has none."""
    named = isinstance(node.get("properties"), dict) and node.get("type", "object") == "object"
    if named and not node.keys() & {"additionalProperties", "patternProperties"}:
        node["additionalProperties"] = False


def _bound_number(node: dict[str, Any]) -> None:
    """A number has bounds that every reader of JSON can hold."""
    types = node.get("type")
    if not any(one in ("number", "integer") for one in (types if isinstance(types, list) else [types])):
        return
    said = [node[one] for one in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if one in node]
    if all(isinstance(one, int | float) and abs(one) < LARGEST for one in said):
        if not node.keys() & {"minimum", "exclusiveMinimum"}:
            node["minimum"] = -LARGEST
        if not node.keys() & {"maximum", "exclusiveMaximum"}:
            node["maximum"] = LARGEST
