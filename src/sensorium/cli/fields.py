"""Options of a command made from the fields of a dataclass, with the help that its docstring gives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer


def helps(cls: type) -> dict[str, str]:
    """What the section Args of a docstring says of each name, on one line, without code marks."""
    told: dict[str, list[str]] = {}
    name = None
    for line in (inspect.getdoc(cls) or "").partition("Args:\n")[2].splitlines():
        head = re.match(r" {4}(\w+): (.*)", line)
        if head:
            name = head[1]
            told[name] = [head[2]]
        elif name and line.startswith(" " * 8):
            told[name].append(line.strip())
        elif line.strip() and not line.startswith(" "):
            break
    plain = {name: re.sub(r"`+", "", " ".join(lines)) for name, lines in told.items()}
    return {name: text[0].upper() + text[1:] for name, text in plain.items()}


def options_of(cls: Any, names: Sequence[str]) -> list[inspect.Parameter]:
    """One option for each of the named fields, None where it is not given."""
    hints, told, known = get_type_hints(cls), helps(cls), {field.name: field for field in fields(cls)}
    found = []
    for name in names:
        default = known[name].default
        shown = False if default in (None, MISSING) else str(default)
        option = typer.Option(help=told[name], show_default=shown)
        kind: Any = hints[name] | None
        annotation: Any = Annotated[kind, option]
        found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return found


def with_options(cls: type, names: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that takes ``**settings`` an option for each of the named fields."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        kept = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in kept]

        @wraps(command)
        def called(**given: Any) -> None:
            command(**given)

        parameters = [*kept, *options_of(cls, names)]
        vars(called)["__signature__"] = own.replace(parameters=parameters)
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return decorate
