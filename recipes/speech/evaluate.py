"""The command ``evaluate``: codecs by what survives the round trip, models by what they hear and say.

``python -m recipes speech evaluate --only codec`` measures the originals and any codecs named; with a model it measures
listening, the choice among names, and speaking. Tables go into ``--out``, one for each measure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

from recipes.speech.bits import bits_report
from recipes.speech.clips import read_manifest
from recipes.speech.codec2 import Codec2
from recipes.speech.hearing import answering, choosing, listening, translating
from recipes.speech.recogniser import Recogniser
from recipes.speech.round_trip import markdown, measure, people_set, teacher_set
from recipes.speech.speaking import measure_speaking
from typer import Option

from sensorium.codecs import Codec, load_codec
from sensorium.evaluate import Results
from sensorium.files import atomic_file
from sensorium.types import InputError

MEASURES = ["codec", "listen", "choose", "answer", "translate", "speak", "bits"]


def evaluate(
    model: Annotated[str, Option(help="Name, folder or Hub id of a model that hears or speaks.")] = "",
    codec: Annotated[
        list[str] | None,
        Option(help="TITLE=NAME?voice=griffin-lim: of a codec's name or folder, title and settings."),
    ] = None,
    codec2: Annotated[list[int] | None, Option(help="Bits a second of Codec2, such as 700 and 1300.")] = None,
    only: Annotated[list[str] | None, Option(help=f"Some of {', '.join(MEASURES)}.")] = None,
    count: Annotated[int, Option(min=1, help="Clips of each set.")] = 100,
    out: Annotated[Path, Option(help="Folder for the tables.")] = Path("results/speech"),
    engine: Annotated[str, Option(help="What writes, see `sensorium.engines.make_engine`.")] = "torch",
    lstm: Annotated[float, Option(min=0, help="Minutes of an LSTM, beside which bits are told.")] = 0.0,
    seed: int = 0,
) -> None:
    """Measure codecs that write speech, and a model that hears or speaks."""
    import sensorium

    wanted = only or (["codec"] if not model else MEASURES[:6])
    if unknown := set(wanted) - set(MEASURES):
        raise InputError(f"there is no measure {unknown.pop()!r}; the measures are {', '.join(MEASURES)}")
    if not model and set(wanted) != {"codec"}:
        raise InputError("to listen, choose, answer and speak a model is needed; name one with --model")
    clips, recognise = read_manifest(), Recogniser()
    if "codec" in wanted:
        results = Results(notes={"clips": count})
        measured = named(codec or []) | {f"codec2, {rate} bit/s": Codec2(rate) for rate in codec2 or ()}
        measure(measured, [teacher_set(clips, count), people_set(count, seed)], recognise, results)
        results.save(out, "codecs")
        with atomic_file(out / "codec_rates.md") as path:
            path.write_text(markdown(results), encoding="utf-8")
    if wanted == ["codec"]:
        return
    loaded = sensorium.load(model, engine=engine)
    for name, ask in (
        ("listen", lambda results: listening(loaded, results, clips, count, seed)),
        ("choose", lambda results: choosing(loaded, results, seed)),
        ("answer", lambda results: answering(loaded, results, clips)),
        ("translate", lambda results: translating(loaded, results, seed)),
        ("speak", lambda results: measure_speaking(loaded, results, clips, recognise, count, seed)),
        ("bits", lambda results: bits_report(results, loaded, clips, count, lstm)),
    ):
        if name in wanted:
            ask(results := Results(notes={"model": model, "clips": count}))
            results.save(out, name)


def named(codecs: list[str]) -> dict[str, Codec]:
    """Codecs by the title that tables give them."""
    import sensorium

    found: dict[str, Codec] = {}
    for given in codecs:
        title, name, settings = _taken_apart(given)
        loaded = load_codec(name) if Path(name).is_dir() else sensorium.codec(name)
        if settings:
            loaded = type(loaded).build(loaded.config() | settings, loaded.tensors())
        found[title or loaded.facts.name] = loaded
    return found


def _taken_apart(given: str) -> tuple[str, str, dict[str, Any]]:
    """``"TITLE=NAME?a=1&b=c"`` -> title, name, settings; numbers become numbers."""
    where, _, asked = given.partition("?")
    title, _, name = where.rpartition("=")
    settings = dict(parse_qsl(asked))
    return title, name, {key: int(value) if value.isdecimal() else value for key, value in settings.items()}
