"""The noun Recipe: all it takes to make models in a box again, and to measure them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensorium.recipe.stages import Plan


@dataclass(frozen=True, kw_only=True)
class Learner:
    """What trains in one piece, beside the language models: a codec, a judge.

    Args:
        train: for some minutes, earlier calls included; given the name of a model whose own to start from, "" for none.
        minutes: of the training, if nobody says.
        encode: writes every medium of the table in its codes; None where that is not needed.
        report: measures it and writes into a folder.
    """

    train: Callable[[float, str], Any]
    minutes: float
    report: Callable[[Path], Any]
    encode: Callable[[], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Functions, each given what it needs by name; the command line of every recipe is made of one of these.

    Args:
        name: of the recipe.
        about: one sentence.
        data: fetches the sources and writes the table with its attribution file; returns the folder. Its parameters,
            with their types and defaults, are the options of the command.
        codecs: those that are trained, by name.
        models: a plan for every language model, a learner for every judge, by name.
        evaluate: measures a model; its parameters, with their types and defaults, are the options of the command.
    """

    name: str
    about: str
    data: Callable[..., Any]
    codecs: Mapping[str, Learner] = field(default_factory=dict)
    models: Mapping[str, Plan | Learner] = field(default_factory=dict)
    evaluate: Callable[..., Any] | None = None
