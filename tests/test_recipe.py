"""The kit of recipes: packages, tables, views, makers, stages, and the one command line."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
import pytest
import torch
import typer
from toys import ToyCodec, random_codes, tiny_base

from sensorium.data import fetch as fetching
from sensorium.data.fetch import Credit, Package, attribution, fetch
from sensorium.data.labelled import Labelled, word_shares
from sensorium.data.table import Pool, Row, even_weights, grouped, read_rows, split_of, write_rows
from sensorium.data.views import Kept, Numbered, Views, look, remembered
from sensorium.model import grow
from sensorium.recipe import Learner, Plan, Recipe, Stage, conversations, stages
from sensorium.recipe.command import main
from sensorium.recipe.stages import fitting
from sensorium.training import TrainConfig
from sensorium.types import Conversation, InputError, Message, Part, as_message

# --- packages


def test_npm_packages_are_unpacked_once(tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "scope-set-1.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("package/icons.json")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    package = Package(name="@scope/set", version="1")
    assert (fetch(package, tmp_path) / "icons.json").read_text() == "{}"
    monkeypatch.setattr(fetching, "_run", lambda *a: pytest.fail("fetched again"))
    assert fetch(package, tmp_path).name == "scope-set-1"


def test_wheels_are_unpacked_and_their_dependencies_left_alone(tmp_path, monkeypatch):
    def pip(command, folder):
        assert "--no-deps" in command and command[-1] == "birds==2.0"
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "birds-2.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("birds/data/calls.csv", "1,2")
            wheel.writestr("birds/code.py", "")

    monkeypatch.setattr(fetching, "_run", pip)
    folder = fetch(Package(name="birds", registry="pypi", version="2.0", only="birds/data/"), tmp_path)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["calls.csv"]


def test_a_failing_or_missing_package_manager_is_told_plainly(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="npm, debian, pypi, not 'cargo'"):
        fetch(Package(name="x", registry="cargo"), tmp_path)
    with pytest.raises(InputError, match=r"`python3? .*` failed \(broken\); check the network"):
        fetching._run(["python3", "-c", "import sys; sys.exit('broken')"], tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="the program npm is needed"):
        fetch(Package(name="absent", version="1"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_attribution_names_author_licence_and_use():
    package = Package(name="birds", version="2.0")
    told = attribution(
        [Credit(name="calls", package=package, author="A. Body", licence="CC0-1.0", url="https://example.org")], "Cut."
    )
    assert "| [calls](https://example.org) | birds 2.0 | A. Body | CC0-1.0 | training and evaluation |" in told
    assert told.startswith("# Attribution\n\nCut.\n")


# --- the table


@dataclass(frozen=True, kw_only=True)
class Call(Row):
    """A row with fields of its own."""

    tags: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0


def test_rows_come_back_as_they_were(tmp_path):
    rows = [
        Call(medium=0, label="wren", group="wren", names={"fr": "troglodyte"}, tags=("small", "loud")),
        Call(medium=1, held_out=True, seconds=2.5),
    ]
    write_rows(rows, tmp_path / "calls.parquet")
    assert read_rows(tmp_path / "calls.parquet", Call, "make it") == rows
    assert [row.trainable for row in rows] == [True, False]
    assert not Call(medium=2, split="test").trainable


def test_a_missing_or_old_table_says_how_to_make_it(tmp_path):
    with pytest.raises(InputError, match=r"there is no table at .*; make it with `python -m recipes birds data`"):
        read_rows(tmp_path / "none.parquet", Call, "python -m recipes birds data")
    write_rows([Row(medium=0)], tmp_path / "old.parquet")
    with pytest.raises(InputError, match="lacks the columns tags, names, seconds"):
        read_rows(tmp_path / "old.parquet", Call, "x")


def test_a_group_lies_on_one_side_for_good():
    assert [split_of(group) for group in ("volcano", "broom", "red heart")] == ["test", "test", "train"]
    sides = Counter(split_of(f"thing {number}", test=0.2, val=0.1) for number in range(20_000))
    assert sides["test"] / 20_000 == pytest.approx(0.2, abs=0.01)
    assert sides["val"] / 20_000 == pytest.approx(0.1, abs=0.01)


def test_weights_make_labels_and_sources_even():
    rows = [Row(medium=n, label=label, source=source) for n, (label, source) in enumerate(["aX", "aX", "aY", "bX"])]
    by = (lambda row: row.label), (lambda row: row.source)
    assert even_weights(rows, *by).tolist() == [0.25, 0.25, 0.5, 1.0]
    assert even_weights(rows, *by, evenness=0).tolist() == [0.5, 0.5, 1.0, 1.0]
    assert grouped(rows, by[0]) == {"a": rows[:3], "b": rows[3:]}


def test_a_pool_samples_by_weight():
    pool = Pool(["often", "seldom"], [3, 1])
    assert [pool.pick(place) for place in (0.0, 0.74, 0.76, 1.0)] == ["often", "often", "seldom", "seldom"]
    drawn = pool.draw(np.random.default_rng(0), 4000)
    assert 0.71 < (drawn == 0).mean() < 0.79
    with pytest.raises(InputError, match="nothing to sample from"):
        Pool([], [])


def test_labelled_media_come_evenly_with_their_classes_and_shared_words():
    told = [("red dog", "animal"), ("red cat", "animal"), ("red car", "thing"), ("red car", "thing")]
    rows = [Call(medium=n, label=label, tags=("pet",), source=kind) for n, (label, kind) in enumerate(told)]
    media = np.arange(4.0).reshape(4, 1)
    kind = lambda row: row.source  # noqa: E731
    made = Labelled(media, rows, lambda x: -x, kind, {"kind": kind}, tags=lambda row: row.tags)
    assert made.classes == {"name": ["red car", "red cat", "red dog"], "kind": ["animal", "thing"]}
    assert made.words == [] and made.counts == [3, 2, 0]  # no word is shared by four labels
    batch = made.changed(lambda x, rng: 10 * x)(np.random.default_rng(0), 3000)
    assert set(batch["x"].flatten().tolist()) == {0, -10, -20, -30}
    assert np.bincount(batch["name"]) / 3000 == pytest.approx(np.full(3, 1 / 3), abs=0.04)
    assert ((batch["name"] == 0) == (batch["kind"] == 1)).all()


def test_words_are_those_that_labels_share():
    words, shares = word_shares(["red dog", "red cat", "car"], [("car", ["a dog on wheels"])], least=2)
    assert words == ["dog", "red"]
    assert shares.tolist() == [[0.5, 0.5], [0, 1], [1, 0]]


# --- views


def made_views(noise: tuple[float, ...] = (0.0,)) -> Numbered:
    values = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float16)
    views = Views(codec="ear", values_VND=values, quantise=lambda v: (v > 0).astype(np.int64), noise=noise)
    return Numbered(views=views, codec="voice", written=[np.full((3, 1), n) for n in range(5)])


def filled(made: Numbered, seed: int) -> list[Part]:
    asked = as_message("user", [Part("toy", data=3), "What is this?"])
    answer = Message("assistant", (Part("toy", data=2),))
    return list(made.fill(Conversation((asked, answer)), Random(seed)).parts())


def test_codes_take_the_place_of_numbers():
    made = made_views()
    read, words, written = filled(made, 1)
    assert any(np.array_equal(read.codes, view[3] > 0) for view in made.views.values_VND)
    assert (read.codec, words.data, written.codec) == ("ear", "What is this?", "voice")
    assert np.array_equal(written.codes, made.written[2].ravel())
    assert read.data is None and written.data is None, "a number is no medium: shards would try to open it"
    assert np.array_equal(made.views.plain[3], made.views.values_VND[0, 3] > 0)


def test_noise_is_drawn_anew_for_every_reading_and_repeats_with_the_seed():
    seen = {filled(made_views((0.5,)), seed)[0].codes.tobytes() for seed in range(40)}
    assert len(seen) > 10
    assert np.array_equal(filled(made_views((0.5,)), 7)[0].codes, filled(made_views((0.5,)), 7)[0].codes)
    assert len({filled(made_views(), seed)[0].codes.tobytes() for seed in range(40)}) == 2


def test_the_first_look_is_at_the_media_as_they_are():
    media = np.arange(6, dtype=np.float32).reshape(6, 1)
    changed = lambda batch, rng: batch + rng.integers(1, 5)  # noqa: E731
    found = look(np.stack, lambda: (media[at : at + 2] for at in (0, 2, 4)), changed, views=3, seed=0)
    assert found.shape == (3, 6, 1)
    assert np.array_equal(found[0], media)
    assert not np.array_equal(found[1], media) and not np.array_equal(found[1], found[2])


def test_what_was_long_in_making_is_kept(tmp_path):
    kept = Kept(tmp_path / "codes.safetensors", "make codes")
    with pytest.raises(InputError, match="is missing; make it with `make codes`"):
        kept.read()
    kept.write(np.arange(6).reshape(2, 3))
    assert np.array_equal(kept.read(), [[0, 1, 2], [3, 4, 5]])


def test_an_array_is_made_again_when_what_it_depends_on_changes(tmp_path):
    made = []

    def make():
        made.append(1)
        return np.full(3, len(made))

    path = tmp_path / "drawn.npz"
    found = [remembered(path, digest, make).tolist() for digest in ("a", "a", "b", "b")]
    assert found == [[1] * 3, [1] * 3, [2] * 3, [2] * 3]


# --- conversations


def said(word: str):
    return lambda random: Conversation((as_message("user", word), as_message("assistant", str(random.random()))))


def test_conversations_keep_their_shares_and_can_be_continued():
    makers = {"a": said("a"), "b": said("b")}
    whole = list(conversations(makers, {"a": 3, "b": 1}, 400, 5))
    assert 0.68 < sum(one.messages[0].text == "a" for one in whole) / 400 < 0.82
    assert whole[300:] == list(conversations(makers, {"a": 3, "b": 1}, 100, 5, start=300))
    with pytest.raises(InputError, match="positive odds of a, b"):
        list(conversations(makers, {"sing": 1.0}, 1, 0))


# --- stages

TOY = ToyCodec()


def plan(**options) -> Plan:
    def made(stage: Stage, first: int):
        for number in range(first, first + stage.conversations):
            medium = Part("toy", codes=random_codes(TOY, number), codec="toy")
            yield Conversation((as_message("user", [medium, "what?"]), as_message("assistant", f"thing {number}")))

    stages = [
        Stage(shares={}, minutes=1, conversations=6, note="First."),
        Stage(shares={}, minutes=3, conversations=4, lr={"rows": 1e-3}, cooldown=1.0, aligned=True),
    ]
    told: dict = {
        "name": "toy",
        "folder": "toys/toy",
        "stages": stages,
        "conversations": made,
        "weights": {"text": 2.0},
    }
    told |= {"grown": lambda start: grow(tiny_base(), [ToyCodec()], learn="full"), "out": Path("nowhere")}
    told |= {"config": TrainConfig(minutes=1, max_steps=2, warmup=0), "rows": 2, "row_tokens": 64}
    return Plan(**told | {"export": lambda grown, out: grown.fold().save(out)} | options)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    return tmp_path


def test_one_call_runs_the_whole_history_and_a_second_finds_it_done(cache):
    aligned, lines = [], []
    made = plan(align=aligned.append)
    made.run(say=lines.append)
    assert len(aligned) == 1
    assert lines[0] == "toy, stage 0: 1 minutes. First."
    first, second = made.weights_of(0), made.weights_of(1)
    assert first.keys() == second.keys()
    assert any(not torch.equal(first[name], second[name]) for name in first)
    lines.clear()
    made.run(say=lines.append)
    assert lines == ["toy, stage 0: has had its 1 minutes", "toy, stage 1: has had its 3 minutes"]
    assert (made.write(cache / "out") / "config.json").exists()


def test_a_stage_starts_from_the_one_before_and_has_conversations_of_its_own(cache):
    made = plan()
    made.run(last=0, say=lambda line: None)
    grown = made.grown("")
    before = {name: value.clone() for name, value in grown.train_state().items()}
    made._start(1, grown)
    assert all(torch.equal(value, made.weights_of(0)[name]) for name, value in grown.train_state().items())
    assert any(not torch.equal(value, before[name]) for name, value in grown.train_state().items())
    assert len(made.shards(0, grown)) == 6
    ids = [set(map(int, sample.ids)) for sample in (made.shards(0, grown)[0], made.shards(1, grown)[0])]
    assert ids[0] != ids[1]


def test_minutes_are_divided_among_the_stages(cache, monkeypatch):
    given = []
    monkeypatch.setattr(Plan, "train", lambda self, number, minutes, say: given.append((number, minutes)) or True)
    plan().run(minutes=8)
    assert given == [(0, 2), (1, 6)]


def test_a_history_that_was_stopped_goes_on_where_it_was(cache, monkeypatch):
    real, lines = stages.fit, []

    def stopped(*given, **named):
        return replace(real(*given, **named), stopped="signal")

    monkeypatch.setattr(stages, "fit", stopped)
    made = plan()
    made.run(say=lines.append)
    assert lines[-1] == "toy, stage 0: stopped before the end; the same command goes on from here"
    monkeypatch.setattr(stages, "fit", real)
    made.run(say=lines.append)
    assert made.weights_of(1)
    assert "has had its" not in "".join(lines)


def test_stages_that_cannot_be_run_are_refused(cache):
    with pytest.raises(InputError, match="has the stages 0 to 1"):
        plan().run(last=5)
    with pytest.raises(InputError, match="train stage 0 first"):
        plan().run(first=1, say=lambda line: None)


def test_rows_of_another_shape_start_anew():
    grown = plan().grown("")
    own = grown.train_state()
    name = next(iter(own))
    found = fitting({name: own[name][:1], "unknown": own[name], **dict(list(own.items())[1:2])}, grown)
    assert list(found) == list(own)[1:2]


# --- the command line


def recipe(told: list) -> Recipe:
    def evaluate(model: str, out: Annotated[Path, typer.Option()], count: int = 3) -> None:
        """Measure."""
        told.append(("evaluate", model, out, count))

    learner = Learner(
        train=lambda minutes, start: told.append(("train", minutes, start)), minutes=7,
        report=lambda out: told.append(("report", out)),
    )  # fmt: skip
    return Recipe(
        name="birds", about="Calls.", data=lambda: "a folder", codecs={"call": learner}, models={"judge": learner},
        evaluate=evaluate,
    )  # fmt: skip


def run(told: list, *arguments: str) -> int:
    return main(["birds"], lambda name: recipe(told), ["birds", *arguments])


def test_every_recipe_has_the_same_commands(capsys):
    told: list = []
    assert run(told, "data") == run(told, "codec", "call", "train", "--minutes", "2", "--start", "nano") == 0
    assert run(told, "codec", "call", "report", "--out", "x") == run(told, "train", "judge") == 0
    assert run(told, "evaluate", "nano", "--out", "y", "--count", "4") == 0
    assert told == [
        ("train", 2, "nano"), ("report", Path("x")), ("train", 7, ""), ("report", Path("results")),
        ("evaluate", "nano", Path("y"), 4),
    ]  # fmt: skip
    assert capsys.readouterr().out == "a folder\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["codec", "song", "train"], "no codec 'song'; it has call"),
        (["codec", "call", "encode"], "are not written ahead"),
        (["export", "judge"], "is not exported"),
        (["train", "judge", "--minutes", "soon"], "valid number"),
    ],
)
def test_what_a_recipe_does_not_have_is_told_in_a_sentence(arguments, message, capsys):
    assert run([], *arguments) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_recipe_lists_those_there_are(capsys):
    assert main(["birds", "bees"], recipe, ["wasps"]) == 2
    assert "{birds,bees}" in capsys.readouterr().err
