"""One command line for all recipes: ``python -m recipes NAME data|codec|train|evaluate|export``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from sensorium.recipe.recipe import Learner, Recipe
from sensorium.recipe.stages import Plan
from sensorium.types import InputError

Start = Annotated[str, typer.Option(help="A model to start from, for instance the one in the box.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="Time in all, earlier calls included.", show_default=False)]
T = TypeVar("T")


def main(names: Sequence[str], find: Callable[[str], Recipe], arguments: Sequence[str] | None = None) -> int:
    """Run a command of a recipe; 0, or 2 after a sentence that says what is wrong.

    Args:
        names: of the recipes there are.
        find: a recipe by its name, imported only when it is asked for.
    """
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or [""]
    if name not in names:
        print(f"usage: python -m recipes {{{','.join(names)}}} data|codec|train|evaluate|export ...", file=sys.stderr)
        return 2
    try:
        app(find(name))(rest, prog_name=f"python -m recipes {name}", standalone_mode=False)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except typer.Abort:
        return 130
    except Exception as error:
        show = getattr(error, "show", None)  # what the command line itself refuses
        if show is None:
            raise
        show()
        return 2
    return 0


def app(recipe: Recipe) -> typer.Typer:
    """The commands of a recipe."""
    made = typer.Typer(
        help=recipe.about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for make in (_data, _codec, _train, _export):
        make(made, recipe)
    if recipe.evaluate is not None:
        made.command("evaluate")(recipe.evaluate)
    return made


def _data(made: typer.Typer, recipe: Recipe) -> None:
    @made.command("data", help="Fetch the sources, and write the table with its attribution file.")
    @wraps(recipe.data)
    def data(**options: Any) -> None:
        typer.echo(recipe.data(**options))


def _codec(made: typer.Typer, recipe: Recipe) -> None:
    @made.command(help=f"Train a codec, write all media in its codes, or measure it: {_list(recipe.codecs)}.")
    def codec(
        name: Annotated[str, typer.Argument()],
        action: Annotated[Literal["train", "encode", "report"], typer.Argument()],
        minutes: Minutes = None,
        start: Start = "",
        out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("results") / "codecs",
    ) -> None:
        learner = _named(recipe.codecs, name, "codec")
        if action == "train":
            learner.train(learner.minutes if minutes is None else minutes, start)
        elif action == "report":
            learner.report(out)
        elif learner.encode is None:
            raise InputError(f"codes of {name} are not written ahead; media are encoded with the conversations")
        else:
            learner.encode()


def _train(made: typer.Typer, recipe: Recipe) -> None:
    @made.command(help=f"Train a model, stage by stage, or go on: {_list(recipe.models)}.")
    def train(
        name: Annotated[str, typer.Argument()],
        minutes: Minutes = None,
        first: Annotated[int, typer.Option(min=0, help="First stage, from 0.")] = 0,
        last: Annotated[int | None, typer.Option(min=0, help="Last stage; all where not said.")] = None,
        start: Start = "",
    ) -> None:
        model = _named(recipe.models, name, "model")
        if isinstance(model, Plan):
            model.run(first, last, minutes, start, typer.echo)
        else:
            model.train(model.minutes if minutes is None else minutes, start)
            model.report(Path("results"))


def _export(made: typer.Typer, recipe: Recipe) -> None:
    @made.command(help=f"Write a trained model as a folder that Sensorium loads: {_list(recipe.models)}.")
    def export(
        name: Annotated[str, typer.Argument()],
        out: Annotated[Path | None, typer.Option(help="The folder; into the package where not said.")] = None,
        stage: Annotated[int | None, typer.Option(min=0, help="As it is after this stage; the last.")] = None,
        start: Start = "",
    ) -> None:
        model = _named(recipe.models, name, "model")
        if isinstance(model, Learner):
            raise InputError(f"{name} is used where it lies and is not exported")
        typer.echo(f"wrote {model.write(out, stage, start)}")


def _named(things: Mapping[str, T], name: str, what: str) -> T:
    if name not in things:
        raise InputError(f"this recipe has no {what} {name!r}; it has {_list(things)}")
    return things[name]


def _list(things: Mapping[str, object]) -> str:
    return ", ".join(things) or "none"
