"""Bits of written series: a small model and an LSTM that learn from the same series for the same minutes, and n-grams.

``PYTHONPATH=. python benchmarks/series_bits.py --minutes 2 --out results/bits/series`` prints the rows and writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from recipes.sensors.bits import WISHES, bits_report, taught
from recipes.sensors.series import WRITER

from sensorium.data import PackedLoader, TokenShards, write_shards
from sensorium.evaluate import Results
from sensorium.generate import Assistant
from sensorium.model import grow
from sensorium.model.fresh import fresh_base, learn_tokenizer
from sensorium.training import TrainConfig, fit
from sensorium.types import Conversation

MODEL = "small Llama"


def trained(talks: Sequence[Conversation], minutes: float) -> Assistant:
    """A Llama of two layers that learns to write series and nothing else."""
    words = learn_tokenizer((part.data for one in talks for part in one.parts() if part.is_text), 512)
    base = fresh_base(words, hidden=64, layers=2, heads=2, intermediate=192, context=256)
    grown = grow(base, [WRITER], learn="full")
    config = TrainConfig(minutes=minutes, optimizer="muon", schedule="trapezoid", cooldown=0.4, warmup=20, lr=2e-3)
    with TemporaryDirectory() as place:
        write_shards(talks, grown.senses, Path(place) / "shards")
        shards = TokenShards(Path(place) / "shards", grown.senses)
        loader = PackedLoader(shards, batch_rows=8, row_tokens=256, seed=0)
        typer.echo(fit(grown, loader, config, Path(place) / "run"), err=True)
    whole = grown.fold()
    return Assistant(whole.lm, whole.senses)


def main(
    out: Annotated[Path, typer.Option(help="Folder for bits.md and bits.json.")],
    minutes: Annotated[float, typer.Option(min=0, help="Of the model, and of the LSTM.")] = 2.0,
    conversations: Annotated[int, typer.Option(min=10, help="To learn from.")] = 3000,
    wishes: Annotated[int, typer.Option(min=1, help="Held-out made-up series.")] = WISHES,
) -> None:
    talks, results = (
        taught(conversations),
        Results(notes={"minutes": minutes, "conversations": conversations, "model": MODEL}),
    )
    bits_report(results, trained(talks, minutes), talks, minutes, wishes)
    results.save(out, "bits")


if __name__ == "__main__":
    typer.run(main)
