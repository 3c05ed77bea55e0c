"""A learning curve: a score over the tokens trained on, and where more training would stop paying.

``PYTHONPATH=. python benchmarks/learning_curve.py CURVE.json [MORE.json] --out results/smol/learning_curve.png`` draws
the curves into one figure, with an SVG beside it if that is small, and writes what was fitted into a file ``.md``.

A file holds one curve, its points in any order; other fields of a row are passed over::

    {"label": "smol", "measure": "names written freely and exactly",
     "rows": [{"tokens": 326000, "share": 0.035, "n": 200, "lower": 0.017, "upper": 0.070}, ...]}

``tokens`` were trained on until that checkpoint (1 or more), ``share`` of ``n`` questions was right (0 to 1), ``lower``
and ``upper`` bound its 95 % interval (Wilson 1927). All curves of a figure have the same measure.

Legend: P points in the order of their tokens, D draws, C exponents that are tried.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, Literal

import numpy as np
import typer
from benchmarks.figures import COLOURS, WIDTH_IN, amount, save

from sensorium.checked import Range, checked, checked_fields, read_json
from sensorium.files import atomic_file
from sensorium.types import InputError

LEAST = 4
"""Points for a law of three numbers."""
POINT = 0.01
"""Doubling the tokens stops paying where it gains less than this share."""
EXPONENTS_C = np.geomspace(0.02, 5, 160)
DRAWS = 1000
MISFIT = 0.01
"""A law is given up where points as far from it, or farther, have less than this chance."""
FAR = 10
"""An extrapolation is told and drawn to at most so many times the last tokens."""
Told = Literal["reached", "not reached", "cannot be told"]


@dataclass(frozen=True)
class Point:
    """A checkpoint's score, see the head of this file."""

    tokens: Annotated[float, Range(1, 1e18)]
    share: Annotated[float, Range(0, 1)]
    n: Annotated[int, Range(1, 1e9)]
    lower: Annotated[float, Range(0, 1)]
    upper: Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Curve:
    """Points in the order of their tokens."""

    label: str
    measure: str
    points: tuple[Point, ...]

    def column(self, name: str) -> np.ndarray:
        """(P,) one field of all points."""
        return np.array([getattr(one, name) for one in self.points], float)


@dataclass(frozen=True)
class Laws:
    """share = ceiling - drop * (tokens / start) ** -exponent, for each of D draws: all fields are (D,).

    Args:
        ceiling: at most 1. drop: not negative. exponent: positive. start: tokens of the first point fitted.
    """

    ceiling: np.ndarray
    drop: np.ndarray
    exponent: np.ndarray
    start: np.ndarray

    def at(self, tokens_P: np.ndarray) -> np.ndarray:
        """(D, P) shares."""
        powers_DP = (tokens_P / self.start[:, None]) ** -self.exponent[:, None]
        return self.ceiling[:, None] - self.drop[:, None] * powers_DP

    def gain(self, tokens: float) -> np.ndarray:
        """(D,) what doubling these tokens adds to the share."""
        return self.drop * (tokens / self.start) ** -self.exponent * (1 - 2**-self.exponent)

    def pays_until(self) -> np.ndarray:
        """(D,) tokens from which doubling them adds less than `POINT`; at least the start of the law."""
        return self.start * np.maximum(1, self.drop * (1 - 2**-self.exponent) / POINT) ** (1 / self.exponent)

    def where(self, own_D: np.ndarray, other: Laws) -> Laws:
        """These where the mask says so, elsewhere others."""
        return Laws(*(np.where(own_D, getattr(self, one.name), getattr(other, one.name)) for one in fields(self)))


@dataclass(frozen=True)
class Saturation:
    """Whether more training would still pay.

    Args:
        said: in a sentence, for the caption.
        law: what was fitted, None where nothing could be. points: how many of the last points it was fitted to.
        tokens, low, high: where doubling gains less than `POINT`, with its 95 % interval; only with a law.
    """

    told: Told
    said: str
    law: Laws | None = None
    points: int = 0
    tokens: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def read_curve(path: Path) -> Curve:
    """InputError: the file is no curve; the message says what is wrong where."""
    told = read_json(path)
    label, measure = (
        checked(told.get(name), Annotated[str, Range(1, 200)], f"{path}: {name}") for name in ("label", "measure")
    )
    rows = checked(told.get("rows"), Annotated[list[dict[str, Any]], Range(1, 10_000)], f"{path}: rows")
    known = {one.name for one in fields(Point)}
    points = []
    for number, row in enumerate(rows):
        where = f"{path}: rows[{number}]"
        own = {name: value for name, value in row.items() if name in known}
        point = Point(**checked_fields(Point, own, where))
        if not point.lower <= point.share <= point.upper:
            raise InputError(f"{where} has its share {point.share} outside {point.lower} to {point.upper}")
        points.append(point)
    points.sort(key=lambda one: one.tokens)
    if any(one.tokens == after.tokens for one, after in zip(points, points[1:], strict=False)):
        raise InputError(f"{path} has two rows of the same tokens; keep one of them")
    return Curve(label, measure, tuple(points))


def fit(tokens_P: np.ndarray, shares_DP: np.ndarray, deviation_P: np.ndarray) -> Laws:
    """The saturating power laws with the least weighted squares.

    For each exponent of a grid the other two numbers have a closed form (variable projection, Golub and Pereyra
    1973), so there is no start to choose and no fit that does not converge.

    Args:
        deviation_P: standard deviation of the shares.
    """
    start, weight_P = float(tokens_P[0]), deviation_P**-2 / (deviation_P**-2).sum()
    x_CP = (tokens_P / start) ** -EXPONENTS_C[:, None]
    mean_C, mean_D = x_CP @ weight_P, shares_DP @ weight_P
    apart_CP = x_CP - mean_C[:, None]
    slope_DC = (shares_DP * weight_P) @ apart_CP.T / (apart_CP**2 @ weight_P)
    drop_DC = np.maximum(-slope_DC, 0)
    ceiling_DC = mean_D[:, None] + drop_DC * mean_C
    capped_DC = ((1 - shares_DP) * weight_P) @ x_CP.T / (x_CP**2 @ weight_P)  # the best with a ceiling of 1
    drop_DC = np.where(ceiling_DC > 1, capped_DC, drop_DC)
    ceiling_DC = np.minimum(ceiling_DC, 1)
    errors_DC = np.zeros_like(drop_DC)
    for x_C, share_D, weight in zip(x_CP.T, shares_DP.T, weight_P, strict=True):
        errors_DC += weight * (share_D[:, None] - ceiling_DC + drop_DC * x_C) ** 2
    best = np.arange(len(shares_DP)), errors_DC.argmin(1)
    return Laws(ceiling_DC[best], drop_DC[best], EXPONENTS_C[best[1]], np.full(len(shares_DP), start))


def fit_late(tokens_P: np.ndarray, shares_DP: np.ndarray, deviation_P: np.ndarray) -> tuple[Laws, np.ndarray]:
    """The law of late training: as many last points as it describes by a chi-squared test, else the last `LEAST`.

    Returns:
        laws: of each draw. described: (D,) whether it does describe them.
    """
    from scipy.stats import chi2

    laws = fit(tokens_P[-LEAST:], shares_DP[:, -LEAST:], deviation_P[-LEAST:])
    described_D = np.zeros(len(shares_DP), bool)
    for count in range(LEAST, len(tokens_P) + 1):
        tokens, shares, deviation = tokens_P[-count:], shares_DP[:, -count:], deviation_P[-count:]
        longer = fit(tokens, shares, deviation)
        squares_D = (((longer.at(tokens) - shares) / deviation) ** 2).sum(1)
        fits_D = chi2.sf(squares_D, count - 3) >= MISFIT
        laws, described_D = longer.where(fits_D, laws), described_D | fits_D
    return laws, described_D


@cache
def saturation(curve: Curve) -> Saturation:
    """Where doubling the tokens gains less than one point, if the points can tell.

    Intervals are by drawing every share anew from what its count leaves possible (Jeffreys' posterior) and doing all
    of it again, the choice of the last points too. Questions that all checkpoints share make the points less
    independent than that takes them to be.
    """
    if len(curve.points) < LEAST:
        return Saturation("cannot be told", f"{len(curve.points)} points are too few for a law of three numbers")
    n_P, tokens_P, shares_P = curve.column("n"), curve.column("tokens"), curve.column("share")
    right_P, wrong_P = n_P * shares_P + 0.5, n_P * (1 - shares_P) + 0.5
    deviation_P = np.sqrt(right_P * wrong_P / (n_P + 1) ** 2 / (n_P + 2))
    law, described = fit_late(tokens_P, shares_P[None], deviation_P)
    if not described:
        return Saturation("cannot be told", "no saturating power law describes the last points")
    drawn_DP = np.random.default_rng(0).beta(right_P, wrong_P, (DRAWS, len(n_P)))
    if np.quantile(drawn_DP[:, -1] - drawn_DP[:, 0], 0.025) < POINT:
        return Saturation("cannot be told", "the last point may be less than one point above the first")
    return _told(law, fit_late(tokens_P, drawn_DP, deviation_P)[0], tokens_P)


def _told(law: Laws, laws: Laws, tokens_P: np.ndarray) -> Saturation:
    last = float(tokens_P[-1])
    low, high = np.quantile(laws.pays_until(), (0.025, 0.975))
    found: dict[str, Any] = dict(law=law, points=int((tokens_P >= law.start).sum()), low=float(low), high=float(high))
    found["tokens"] = float(law.pays_until()[0])
    least, most = 100 * np.quantile(laws.gain(last), (0.025, 0.975))
    gain = f"doubling the last {amount(last)} tokens would gain {100 * law.gain(last)[0]:.2g} points"
    gain += f" ({least:.2g} to {most:.2g})"
    where = f"{amount(found['tokens'])} tokens ({amount(low)} to {_far(high, last)})"
    if high <= last:
        return Saturation("reached", f"from {where} on a doubling gains less than one point; {gain}", **found)
    if low > last:
        where = where if found["tokens"] <= FAR * last else f"more than {FAR} times the last tokens"
        return Saturation("not reached", f"{gain}; by the law it would be less than one point from {where}", **found)
    return Saturation("cannot be told", f"{gain}, so it may be less than one point already or not", **found)


def _far(tokens: float, last: float) -> str:
    return amount(tokens) if tokens <= FAR * last else f"more than {amount(FAR * last)}"


def draw(curves: Sequence[Curve], out: Path) -> list[Path]:
    """Draw curves with what `saturation` says of them; the files written.

    Raises:
        InputError: the measures differ, there are too many curves, or ``out`` is no place for a PNG.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    measures = list(dict.fromkeys(one.measure for one in curves))
    if len(measures) != 1:
        raise InputError(f"a figure has one measure, these curves have {len(measures)}: {', '.join(measures)}")
    if len(curves) > len(COLOURS):
        raise InputError(f"a figure tells at most {len(COLOURS)} curves apart, these are {len(curves)}; draw several")
    figure = Figure(figsize=(WIDTH_IN, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    for curve, colour in zip(curves, COLOURS, strict=False):
        _draw_one(axes, curve, saturation(curve), colour)
    axes.set_xlabel("tokens trained on")
    axes.set_ylabel(fill(f"{measures[0]}, % of questions", 48))
    axes.set_ylim(0, None)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tokens, place: amount(tokens)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    title = "tokens from which doubling them gains less than one point"
    figure.legend(*axes.get_legend_handles_labels(), title=title, loc="outside upper left", frameon=False, ncols=2)
    return save(figure, out)


def _draw_one(axes: Any, curve: Curve, found: Saturation, colour: str) -> None:
    tokens_P = curve.column("tokens")
    axes.fill_between(
        tokens_P, 100 * curve.column("lower"), 100 * curve.column("upper"), color=colour, alpha=0.18, linewidth=0
    )
    last, seen = tokens_P[-1], found.told == "reached"
    drawn = found.told != "cannot be told" and found.tokens <= FAR * last
    where = f"{'from' if seen else 'not reached, expected from'} {amount(found.tokens)}" if drawn else found.told
    axes.plot(tokens_P, 100 * curve.column("share"), "o-", color=colour, label=f"{curve.label} ({where})")
    if drawn and found.law is not None:
        along_P = np.geomspace(found.law.start[0], max(last, found.tokens), 100)
        axes.plot(along_P, 100 * found.law.at(along_P)[0], ":", color=colour)
        axes.axvline(found.tokens, color=colour, linewidth=1, linestyle="-" if seen else "--")


def caption(curves: Sequence[Curve], picture: str, command: str) -> str:
    """Markdown: the picture, what is to be seen, and the fit of each curve."""
    measure = curves[0].measure
    lines = [
        f"![{measure} over tokens trained on]({picture})",
        "",
        f"`{command}`: {measure}, over tokens trained on. Bands are 95 % intervals of each point; dotted is the fitted",
        "law share = a - b (tokens / t)^-c; upright lines stand where by it doubling the tokens gains less than one",
        "point (dashed: beyond what was trained). Intervals of what the law says: every share drawn anew from what its",
        "count leaves possible, and fitted again.",
        "",
    ]
    for curve in curves:
        found = saturation(curve)
        law = ""
        if found.law is not None:
            a, b, c = (float(one[0]) for one in (found.law.ceiling, found.law.drop, found.law.exponent))
            law = f" Law of the last {found.points} of {len(curve.points)} points:"
            law += f" a = {100 * a:.3g} %, b = {100 * b:.3g} %, c = {c:.3g}, t = {amount(found.law.start[0])} tokens."
        lines.append(f"- {curve.label}: **{found.told}**; {found.said}.{law}")
    return "\n".join(lines) + "\n"


def main(
    files: Annotated[list[Path], typer.Argument(help="Curves, one in each file.")],
    out: Annotated[Path, typer.Option(help="The picture (.png); the caption (.md) goes beside it.")],
) -> None:
    """Draw learning curves, and tell where more training would stop paying."""
    try:
        curves = [read_curve(path) for path in files]
        written = draw(curves, out)
        with atomic_file(out.with_suffix(".md")) as path:
            command = f"PYTHONPATH=. python benchmarks/learning_curve.py {shlex.join(sys.argv[1:])}"
            said = caption(curves, out.name, command)
            path.write_text(said, encoding="utf-8")
    except InputError as error:
        raise SystemExit(f"learning_curve: {error}") from error
    typer.echo(said)
    typer.echo(f"wrote {', '.join(map(str, written))}", err=True)


if __name__ == "__main__":
    typer.run(main)
