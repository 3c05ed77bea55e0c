"""``sensorium export``: a model for other programs: plain transformers and vLLM, ONNX Runtime, llama.cpp."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sensorium.cli import options

if TYPE_CHECKING:
    from sensorium.generate import Assistant

PRECISIONS = {
    "transformers": {"as-is": "as-is", "float32": "float32", "float16": "float16", "bfloat16": "bfloat16"},
    "onnx": {"as-is": "fp32", "float32": "fp32", "int8": "int8"},
    "gguf": {"as-is": "fp32", "float32": "fp32", "float16": "fp16", "int8": "int8"},
}
MOST_CHECKED = 64


def export(
    model: Annotated[str, typer.Argument(help="A model in the box, a folder, or a Hub id.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    format: Annotated[
        Literal["transformers", "onnx", "gguf"],
        typer.Option(help="For transformers and vLLM; for ONNX Runtime; for llama.cpp."),
    ] = "transformers",
    dtype: Annotated[
        Literal["as-is", "float32", "float16", "bfloat16", "int8"],
        typer.Option(help="Type of the stored weights; float32 and int8 with onnx, all but bfloat16 with gguf."),
    ] = "as-is",
    check: Annotated[
        Path | None,
        typer.Option(help="Conversations (JSONL) on which int8 must say nearly the same; with onnx.", exists=True),
    ] = None,
    base: options.Base = None,
) -> None:
    """Write a model for other programs.

    Plain transformers and vLLM load the folder without Sensorium; the codecs lie beside the weights. For llama.cpp, the
    folder holds model.gguf, and adapter.gguf if the model has an adapter. For ONNX Runtime, an adapter is merged."""
    if check is not None and format != "onnx":
        raise typer.BadParameter("only --format onnx is checked", param_hint="--check")
    if dtype not in PRECISIONS[format]:
        raise typer.BadParameter(f"{format} takes {', '.join(PRECISIONS[format])}", param_hint="--dtype")
    loaded, precision = options.load(model, base), PRECISIONS[format][dtype]
    if format == "transformers":
        folder = _transformers(loaded, out, precision)
    elif format == "onnx":
        folder = _onnx(loaded, out, precision, check)
    else:
        folder = _gguf(loaded, out, precision)
    typer.echo(f"wrote {folder}")


def _transformers(loaded: Assistant, out: Path, dtype: str) -> Path:
    import torch

    return loaded.save(out, dtype=None if dtype == "as-is" else getattr(torch, dtype))


def _onnx(loaded: Assistant, out: Path, precision: str, check: Path | None) -> Path:
    from sensorium.model.onnx_export import export_onnx

    if check is not None:
        from sensorium.data import read_conversations
        from sensorium.evaluate.precision import check_precision

        told = (loaded.senses.encode(one) for one in islice(read_conversations(check), MOST_CHECKED))
        found = check_precision(loaded.lm, precision, [loaded.stream.render(one) for one in told])
        typer.echo(
            f"{found.rounded_accuracy.value:.1%} of {found.accuracy.count} tokens of the answers are the likeliest, "
            f"in fp32 {found.accuracy.value:.1%}; divergence {found.kl_nats:.2g} nats per token, the same likeliest "
            f"token at {found.agreement.value:.1%} of the places"
        )
    return export_onnx(loaded.lm, out, precision, loaded)


def _gguf(loaded: Assistant, out: Path, precision: str) -> Path:
    from sensorium.model.gguf import export_gguf, export_gguf_adapter

    export_gguf(loaded, out / "model.gguf", precision)
    if loaded.has_adapter:
        export_gguf_adapter(loaded, out / "adapter.gguf")
    return out
