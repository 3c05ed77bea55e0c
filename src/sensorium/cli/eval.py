"""``sensorium eval``: what models see of what they say, and whether they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensorium.cli import options

app = typer.Typer(help="Ask models what they see, and compare them.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def questions(
    facts: Annotated[list[Path], typer.Argument(help="Files of facts (JSONL, docs/facts.md).")],
    out: Annotated[Path, typer.Option(help="JSONL file of questions; its data card is written beside it.")],
    count: Annotated[int, typer.Option(min=1, help="About how many questions.")] = 1000,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same questions.")] = 0,
) -> None:
    """Write questions from facts of media, balanced so that nobody can tell the answers from the words."""
    from sensorium.grounding.writing import write

    typer.echo(write(facts, out, count, task, seed), nl=False)


@app.command()
def teach(
    facts: Annotated[list[Path], typer.Argument(help="Files of facts (JSONL, docs/facts.md).")],
    out: Annotated[Path, typer.Option(help="JSONL file of conversations, for `sensorium train`.")],
    count: Annotated[int, typer.Option(min=1, help="At most so many conversations.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same conversations.")] = 0,
) -> None:
    """Write conversations to tune a model on from facts of media: what is there and what is not.

    They speak as the questions of `sensorium eval questions` do; let those be about other media."""
    from sensorium.grounding.teaching import write

    typer.echo(f"wrote {write(facts, out, count, seed)} conversations to {out}")


@app.command()
def grounding(
    questions: Annotated[Path, typer.Argument(help="File of questions, see `sensorium eval questions`.")],
    out: Annotated[Path, typer.Option(help="Folder for the report, the logs and the cache of answers.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model in the box, a folder, a Hub id, URL or URL#MODEL, script:oracle; may be repeated."),
    ] = None,
    models: Annotated[Path | None, typer.Option(help="YAML list of models, see docs/evaluation.md.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="About so many questions of each task.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    controls: Annotated[bool, typer.Option(help="Also ask without the medium and with another's.")] = True,
    curve: Annotated[bool, typer.Option(help="Also ask with 25, 50, 75 and 100 % of the medium replaced.")] = False,
    synonyms: Annotated[
        Path | None, typer.Option(help="Words for things in captions: name, word, word a line.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of questions.")] = 0,
    contrast: Annotated[
        float, typer.Option(min=0, help="Ask models of ours also with this much contrastive decoding.")
    ] = 0.0,
) -> None:
    """Ask models what they see, and write a report: HTML, Markdown and JSON.

    A second run with the same folder goes on where the first one stopped; nothing is asked twice."""
    import shlex
    import sys

    from sensorium.grounding.evaluation import Evaluation

    evaluation = Evaluation(
        questions=questions, out=out, models=model or [], file=models, limit=limit, tasks=task or [],
        controls=controls, curve=curve, synonyms=synonyms, seed=seed, contrast=contrast,
    )  # fmt: skip
    command = shlex.join(["sensorium", *sys.argv[1:]])
    typer.echo(f"wrote {evaluation.run(command, lambda line: typer.echo(line, err=True))}")


@app.command()
def compare(
    logs: Annotated[
        list[Path], typer.Argument(help="Logs of inspect_ai (.eval, .json) or samples of lmms-eval (.jsonl).")
    ],
    measure: Annotated[str | None, typer.Option(help="Scorer or measure, where logs have several.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for all of it.")] = None,
) -> None:
    """Compare models on the questions that both were asked.

    Intervals by medium, exact McNemar tests, Holm's correction over all comparisons."""
    import json

    from sensorium.evaluate import compare as compared
    from sensorium.evaluate import read_log, table
    from sensorium.files import atomic_file

    runs = [read_log(path, measure) for path in logs]
    comparisons = compared(runs)
    typer.echo(table(runs, comparisons), nl=False)
    if out is not None:
        said = {
            "runs": [{"task": run.task, "model": run.name, "score": run.rate.to_json()} for run in runs],
            "comparisons": [one.to_json() for one in comparisons],
        }
        with atomic_file(out) as path:
            path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


@app.command()
def bits(
    model: Annotated[str, typer.Argument(help="A model in the box, a folder, or a Hub id.")],
    conversations: Annotated[Path, typer.Argument(help="Held-out conversations (JSONL).")],
    train: Annotated[
        Path | None,
        typer.Option(
            help="Conversations that the baselines learn from; else each half of the held-out ones from the other."
        ),
    ] = None,
    order: Annotated[int, typer.Option(min=2, help="Of the n-gram.")] = 4,
    lstm: Annotated[float, typer.Option(min=0, help="Also train a small LSTM, for at most so many minutes.")] = 0.0,
    asked: Annotated[bool, typer.Option(help="Also count what the user says and shows.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many held-out conversations.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for bits.md and bits.json.")] = None,
    base: options.Base = None,
) -> None:
    """Tell whether a model knows more of media and words than an n-gram of the same ids: bits a token and a code.

    Baselines are told which ids one is among, e.g. those of its codebook; the model is not."""
    from itertools import islice

    from sensorium.data import read_conversations
    from sensorium.evaluate.bits import measure_bits

    loaded = options.load(model, base)
    held_out = islice(read_conversations(conversations), limit)
    taught = read_conversations(train) if train else ()
    results = measure_bits(
        loaded, held_out, taught, order=order, minutes=lstm, asked=asked, say=lambda line: typer.echo(line, err=True)
    )
    typer.echo(results.to_markdown(), nl=False)
    if out is not None:
        results.notes["model"] = model
        results.save(out, "bits")


@app.command()
def words(
    model: Annotated[str, typer.Argument(help="A model in the box, a folder, or a Hub id.")],
    base: Annotated[
        Path | None, typer.Option(help="The LLM it was grown from, if the model does not name it or it lies elsewhere.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Held-out texts: one a line, or paragraphs with empty lines between them.")
    ] = None,
    media: Annotated[
        list[Path] | None, typer.Option(help="A medium for an earlier turn, else codes drawn evenly; may be repeated.")
    ] = None,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Of each answer, at most.")] = 128,
    text_tokens: Annotated[int, typer.Option(min=1, help="Of each text, at most.")] = 256,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many prompts, so many instructions and so many texts.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for words.md and words.json.")] = None,
) -> None:
    """Tell whether a grown model kept the words of its base: answers, held-out texts, instructions followed.

    All in talk about text alone; texts and instructions also after a turn with a medium, where an adapter is on."""
    from sensorium.evaluate.shown import drawn_media, media_of
    from sensorium.evaluate.words import base_of, measure_words, read_texts

    loaded = options.load(model, base)
    shown = media_of(loaded.senses, media) if media else drawn_media(loaded.senses)
    results = measure_words(
        loaded, base_of(loaded, base), read_texts(texts) if texts else (), shown, answer_tokens=answer_tokens,
        text_tokens=text_tokens, limit=limit, say=lambda line: typer.echo(line, err=True),
    )  # fmt: skip
    typer.echo(results.to_markdown())
    for one in results.notes["comparisons"]:
        typer.echo(f"- {one['sentence']}")
    if out is not None:
        results.save(out, "words")


@app.command()
def failures(
    encoder: Annotated[
        str, typer.Argument(help="A codec by name or folder, a model of ours, or an encoder of texts (transformers).")
    ],
    material: Annotated[list[Path], typer.Argument(help="Facts, texts (JSONL), or folders of media with captions.")],
    out: Annotated[Path, typer.Option(help="Folder for report.md and report.json.")],
    held_out: Annotated[
        list[Path] | None, typer.Option(help="Others for new pairs, else half of them; may be repeated.")
    ] = None,
    about: Annotated[list[str] | None, typer.Option(help="Only differences that name this; may be repeated.")] = None,
    near: Annotated[
        float | None, typer.Option(min=0, help="Distance at most which two are confused: share of codes, 1 - cosine.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="URL or URL#MODEL of a language model that names the modes; else templates.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="New pairs of each mode.")] = 500,
    seed: Annotated[int, typer.Option(help="Same seed, same pairs.")] = 0,
) -> None:
    """Find pairs that a codec or an encoder confuses though facts say that they differ, by kinds of difference.

    New pairs of each kind tell how often it fails, beside random pairs that differ (MultiMon)."""
    import shlex
    import sys

    from sensorium.cli.encoders import encoder_of
    from sensorium.grounding.failure_report import save
    from sensorium.grounding.failures import Failures
    from sensorium.grounding.modes import Categoriser
    from sensorium.grounding.specs import spec_of

    search = Failures(
        encoder=encoder_of(encoder, material), material=material, held_out=held_out or (), about=about or (), near=near,
        most=most, seed=seed, categoriser=Categoriser.at(spec_of(model)) if model else None,
    )  # fmt: skip
    found = search.found(lambda line: typer.echo(line, err=True))
    typer.echo(f"wrote {save(found, out, shlex.join(['sensorium', *sys.argv[1:]]))}")


@app.command()
def gate(
    stored: Annotated[Path, typer.Argument(help="Results that are good: evaluation.json, a report.json, or a log.")],
    fresh: Annotated[Path, typer.Argument(help="The same evaluation, run now.")],
    lower: Annotated[
        list[str] | None, typer.Option(help='Measures that are better low, e.g. "*error*"; may be repeated.')
    ] = None,
) -> None:
    """Exit with 1 if a score fell by more than chance explains, or is missing; a sentence for each score.

    The same items are compared by McNemar's exact test, others by the 95 % interval of the difference."""
    from sensorium.evaluate.gate import check

    found = check(stored, fresh, lower or ())
    for one in found:
        typer.echo(one.sentence)
    failed = sum(one.fails for one in found)
    typer.echo(f"{failed} of {len(found)} scores fell or are missing" if failed else f"{len(found)} scores hold")
    if failed:
        raise typer.Exit(1)
