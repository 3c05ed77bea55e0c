"""``sensorium doctor``: what is installed, what is missing, and what the machine offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sensorium.doctor import Device, Extra, Report


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, e.g. for a bug report.")] = False,
) -> None:
    """Tell what is installed and what is missing.

    Also what the missing extras would enable, which devices there are, and how much memory and disk is free."""
    import json
    from dataclasses import asdict

    from sensorium.doctor import examine

    report = examine()
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        _print(report)
    raise typer.Exit(1 if report.problems else 0)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [
        ("Sensorium", f"{report.sensorium}, Python {report.python}, {report.system}"),
        ("packages", ", ".join(f"{package.name} {package.version or 'MISSING'}" for package in report.packages)),
        *(("extra " + extra.name, _extra(extra)) for extra in report.extras),
        *((kind, ", ".join(names) or "none") for kind, names in report.plugins.items()),
        ("models in the box", ", ".join(report.models_in_the_box) or "none"),
        *((f"device {device.kind}", _device(device)) for device in report.devices),
        ("threads", f"{report.threads} of {report.cores} cores, about {report.busy_cores:.1f} cores busy now"),
        ("cache", f"{report.cache}: {_size(report.cache_bytes)} used, {_size(report.cache_free_bytes)} free"),
    ]
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, text in rows:
        table.add_row(name, Text(text))
    console = Console(highlight=False)
    console.print(table)
    for problem in report.problems:
        console.print(Text(f"PROBLEM: {problem}", "red"), soft_wrap=True)
    if not report.problems:
        console.print("No problem found.", style="green")


def _extra(extra: Extra) -> str:
    missing = [package.name for package in extra.packages if not package.version]
    if not missing:
        return f"installed: {extra.enables}"
    return f"not installed ({', '.join(missing)}); pip install 'sensorium[{extra.name}]' enables {extra.enables}"


def _device(device: Device) -> str:
    if device.free_bytes is None or device.total_bytes is None:
        return device.name
    return f"{device.name}, {_size(device.free_bytes)} of {_size(device.total_bytes)} memory free"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MB"
