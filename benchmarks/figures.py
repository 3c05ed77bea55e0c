"""What the figures of ``results/`` share: colours, how numbers of tokens are written, how a figure is saved."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from sensorium.files import atomic_file
from sensorium.types import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart with any colour vision (Okabe and Ito 2008)."""
DPI = 100
WIDTH_IN = 9.0
SVG_BYTES = 100_000
"""At most, for a drawing to be kept beside the picture."""


def amount(number: float) -> str:
    """Three digits with k, M, G or T: ``326000`` is ``"326 k"``."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def save(figure: Figure, out: Path) -> list[Path]:
    """Write a PNG, and an SVG beside it where that is small; what was written. Same figure, same bytes.

    Raises:
        InputError: ``out`` has another ending than ``.png``, or cannot be written.
    """
    from matplotlib import rc_context

    if out.suffix != ".png":
        raise InputError(f"a figure is written as a PNG, so {out} must end in .png")
    with atomic_file(out) as path:
        figure.savefig(path, dpi=DPI, format="png", metadata={"Software": None})
    drawn = BytesIO()
    with rc_context({"svg.hashsalt": out.stem, "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    vector = out.with_suffix(".svg")
    if drawn.tell() > SVG_BYTES:
        vector.unlink(missing_ok=True)  # else one of an earlier run would tell something else
        return [out]
    with atomic_file(vector) as path:
        path.write_bytes(drawn.getvalue())
    return [out, vector]
