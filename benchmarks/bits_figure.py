"""From counting to large models: bits a code and a character of the same held-out streams under each of them.

``PYTHONPATH=. python benchmarks/bits_figure.py FILE.json [...] --out results/bits/history.png`` draws what ``sensorium
eval bits MODEL ... --out FOLDER``, ``python -m recipes pictograms evaluate MODEL --only bits --out FOLDER``, ``python
-m recipes sensors evaluate --only bits`` and ``benchmarks/series_bits.py`` write: one panel for each measure, with an
SVG beside it if that is small.

Files share a panel where their rows are of the same texts or codes, by the digest in ``items``. Each model splits text
in its own way, so bits a token of two models cannot be compared and are not drawn, and the counts and nets that learned
from the ids of a further model have bars of their own. What the user says and shows is not drawn either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmarks.figures import WIDTH_IN, save

from sensorium.checked import Range, checked, checked_fields, read_json
from sensorium.types import InputError

KINDS = {"counted": "#56B4E9", "network from nothing": "#E69F00", "pretrained network": "#0072B2"}
"""In the order of history, with colours that any colour vision tells apart (Okabe and Ito 2008)."""
EVENLY, UNIGRAM, LSTM, MODEL = "uniform", "unigram", "LSTM", "model"
BITS = ": bits a "
UNITS = ("code", "character")
COLUMNS = 2
PANEL_IN, BAR_IN = 1.0, 0.28
FOOT = (
    "Whiskers: 95 % intervals by medium. Dashed: guessing evenly. "
    "Counts and LSTM are told which ids the next one is among, models are not."
)


@dataclass(frozen=True)
class Bar:
    """Bits under one of those who foretell.

    Args:
        kind: see `KINDS`. place: among those of its kind.
    """

    name: str
    kind: str
    place: int
    value: float
    low: float
    high: float


@dataclass
class Panel:
    """Bits of the same texts or codes.

    Args:
        about: which. evenly: bits of guessing evenly, where it is told.
    """

    about: str
    unit: str
    count: int
    clusters: int
    files: list[Path] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    evenly: float | None = None

    def add(self, bar: Bar, model: str) -> None:
        """A bar; one of another model's ids says so, one that is there already is left out."""
        if any((one.name, one.value) == (bar.name, bar.value) for one in self.bars):
            return
        taken = any(one.name == bar.name for one in self.bars)
        name = f"{bar.name}, {'second run' if bar.name == model else f'ids of {model}'}" if taken else bar.name
        self.bars.append(Bar(name, bar.kind, bar.place, bar.value, bar.low, bar.high))

    @property
    def in_order(self) -> list[Bar]:
        return sorted(self.bars, key=lambda one: (list(KINDS).index(one.kind), one.place))


@dataclass(frozen=True)
class Row:
    """A row of bits as JSON has it, see `sensorium.evaluate.bits.Bits`."""

    measure: str
    condition: str
    value: float
    low: float
    high: float
    count: Annotated[int, Range(1, 1e15)]
    clusters: Annotated[int, Range(1, 1e15)]
    items: str = ""


def panels(paths: Sequence[Path]) -> list[Panel]:
    """The panels of some files, in their order.

    Raises:
        InputError: a file has no bits a code or a character, or a row that is none.
    """
    found: dict[tuple[str, ...], Panel] = {}
    for path in paths:
        told = read_json(path)
        notes = checked(told.get("notes", {}), dict[str, Any], f"{path}: notes")
        model, base = Path(str(notes.get("model") or MODEL)).name, bool(notes.get("base"))
        for row in _rows(path, told.get("rows")):
            about, _, unit = row.measure.rpartition(BITS)
            panel = found.setdefault((row.measure, row.items or str(path)), Panel(about, unit, row.count, row.clusters))
            panel.files += [path] if path not in panel.files else []
            _add(panel, row, model, base)
    return list(found.values())


def _rows(path: Path, told: Any) -> list[Row]:
    """Those that are drawn."""
    found = []
    for number, row in enumerate(checked(told, list[dict[str, Any]], f"{path}: rows")):
        about, _, unit = str(row.get("measure")).rpartition(BITS)
        if unit in UNITS and not about.endswith(", asked"):
            found.append(Row(**checked_fields(Row, row, f"{path}: rows[{number}]")))
    if not found:
        raise InputError(f"{path} has no bits a code or a character; give what `sensorium eval bits --out` wrote")
    return found


def _add(panel: Panel, row: Row, model: str, base: bool) -> None:
    name, *more = row.condition.split(", ")
    if name == EVENLY:
        panel.evenly = row.value if panel.evenly is None else panel.evenly
        return
    if name == MODEL:
        name, kind, place = model, "pretrained network" if base else "network from nothing", 1
    elif name == LSTM:
        kind, place = "network from nothing", 0
    else:
        kind, place = "counted", int(name != UNIGRAM)
    unfinished = any(one.startswith("still learning") for one in more)
    panel.add(Bar(f"{name} (still learning)" if unfinished else name, kind, place, row.value, row.low, row.high), model)


def draw(shown: Sequence[Panel], out: Path) -> list[Path]:
    """Draw panels, bars from counting to pretrained; the files written.

    Raises:
        InputError: ``out`` is no place for a PNG.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = min(COLUMNS, len(shown))
    rows = ceil(len(shown) / columns)
    most = [max(len(one.bars) for one in shown[row * columns : (row + 1) * columns]) for row in range(rows)]
    heights = [PANEL_IN + BAR_IN * count for count in most]
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + 0.7), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights}).flatten()
    for axes, panel in zip(grid, shown, strict=False):
        _draw_one(axes, panel)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    kinds = [kind for kind in KINDS if any(bar.kind == kind for panel in shown for bar in panel.bars)]
    patches = [Patch(color=KINDS[kind], label=kind) for kind in kinds]
    figure.legend(handles=patches, loc="outside upper left", ncols=len(kinds), frameon=False)
    figure.supxlabel(FOOT, fontsize="small", color="#444444")
    return save(figure, out)


def _draw_one(axes: Any, panel: Panel) -> None:
    bars = panel.in_order
    for place, bar in enumerate(bars):
        axes.barh(place, bar.value, color=KINDS[bar.kind], height=0.7)
        apart = [[bar.value - bar.low], [bar.high - bar.value]]
        axes.errorbar(bar.value, place, xerr=apart, color="black", capsize=3, linewidth=1)
        axes.annotate(
            f"{bar.value:.2f}",
            (max(bar.high, bar.value), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            bbox={"facecolor": "white", "linewidth": 0, "pad": 0.5},
        )
    if panel.evenly is not None:
        axes.axvline(panel.evenly, color="black", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(bars)), [bar.name for bar in bars])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlim(0, None)
    axes.set_xlabel(f"bits a {panel.unit} (fewer is better)")
    axes.set_title(panel.about, loc="left", fontsize="medium", fontweight="bold", pad=18)
    folders = ", ".join(dict.fromkeys(path.absolute().parent.name for path in panel.files))
    told = f"{panel.count:,} {panel.unit}s of {panel.clusters:,} media, from {folders}"
    axes.annotate(told, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)


def main(
    files: Annotated[list[Path], typer.Argument(help="JSON files of bits.")],
    out: Annotated[Path, typer.Option(help="The picture (.png).")],
) -> None:
    """Draw bits of the same held-out streams under counts, small networks and pretrained ones."""
    try:
        written = draw(panels(files), out)
    except InputError as error:
        raise SystemExit(f"bits_figure: {error}") from error
    typer.echo(f"wrote {', '.join(map(str, written))}")


if __name__ == "__main__":
    typer.run(main)
