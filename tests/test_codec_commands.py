"""`sensorium codec`: train, fetch and report, for any modality, on folders and on conversations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from media_toys import Cells
from typer.testing import CliRunner

from sensorium import plugins
from sensorium.api import codec as load
from sensorium.cli import app
from sensorium.codecs import Codec, Learning, Media
from sensorium.learning.learn import learn_codec
from sensorium.learning.media import find_media
from sensorium.modalities import modality
from sensorium.types import InputError, Signal


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str):
        result = CliRunner().invoke(app, ["codec", *words])
        assert result.exit_code == 0, result.output
        return result

    return invoke


def waves(folder: Path, count: int = 6) -> None:
    """Series of 2 s at 50 Hz, in folders by what they do."""
    for number in range(count):
        kind = ("slow", "quick")[number % 2]
        time_s = np.arange(100 + number) / 50
        values = np.sin(time_s * {"slow": 2, "quick": 30}[kind] + number)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        lines = [f"{at:.2f},{value:.4f}" for at, value in zip(time_s, values, strict=True)]
        (folder / kind / f"{number}.csv").write_text("\n".join(["time [s],x [g]", *lines]) + "\n")


def picture(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((64, 64, 3), 255, np.uint8)
    array[8:40, 8:40] = colour
    modality("image").save(Signal(array), path)


def test_a_codec_of_series_is_trained_and_reported_without_naming_them(run, tmp_path):
    waves(tmp_path / "media")
    said = run("train", "media", "--out", "mine", "--minutes", "0.02").stderr
    assert "family fsq, by what the media are" in said
    codec = load(tmp_path / "mine")
    assert (codec.family, codec.facts.modality, codec.facts.name) == ("fsq", "series", "series")
    assert codec.facts.wish.rate_hz == 50
    table = run("report", "mine", "media", "--out", "report").stdout
    assert "| series | 6 |" in table
    assert "rmse" in table
    assert (tmp_path / "report" / "contact.png").exists()
    run("train", "media", "--out", "mine", "--minutes", "0.02")
    assert load(tmp_path / "mine").fingerprint() == codec.fingerprint(), "a run goes on where it stopped: at its end"


def test_what_a_report_found_stays_with_the_codec_where_that_is_asked(run, tmp_path):
    waves(tmp_path / "media")
    run("train", "media", "--out", "mine", "--minutes", "0.01")
    run("report", "mine", "media", "--out", "report")
    before = load(tmp_path / "mine")
    assert before.measured is None
    table = run("report", "mine", "media", "--out", "report", "--keep").stdout
    codec = load(tmp_path / "mine")
    assert codec.fingerprint() == before.fingerprint()
    assert codec.measured is not None
    assert codec.measured.command == "sensorium codec report mine media --most 2000 --keep"
    assert codec.measured.numbers["media"] == 6
    assert f"| {codec.measured.numbers['rmse']:.4g} |" in table
    codec.save(tmp_path / "again")  # as a model saves it
    told = CliRunner().invoke(app, ["codecs", "again", "mine"]).stdout
    found = f" rmse {codec.measured.numbers['rmse']:.4g},"
    assert told.count(found) == told.count("(`sensorium codec report mine media --most 2000 --keep`)") == 2
    refused = CliRunner().invoke(app, ["codec", "report", "image", "media", "--keep"])
    assert refused.exit_code == 2 and "'image' is none" in refused.stderr


@pytest.mark.parametrize(
    "said", ["good", {"command": "x", "numbers": {"rmse": "0"}}, {"command": "\x1b[2J", "numbers": {"rmse": 0}}]
)
def test_what_is_said_to_be_measured_is_checked(run, tmp_path, said):
    waves(tmp_path / "media")
    run("train", "media", "--out", "mine", "--family", "kmeans", "--codes", "8")
    head = json.loads((tmp_path / "mine" / "codec.json").read_text())
    (tmp_path / "mine" / "codec.json").write_text(json.dumps(head | {"measured": said}))
    with pytest.raises(InputError, match="measured"):
        load(tmp_path / "mine")


def test_a_codec_that_reads_learns_from_the_names_of_folders(run, tmp_path):
    waves(tmp_path / "media")
    run("train", "media", "--out", "mine", "--minutes", "0.02", "--family", "semantic")
    codec = load(tmp_path / "mine")
    assert (codec.facts.use, codec.facts.name) == ("read", "series-read")
    assert "| series-read | 6 |" in run("report", "mine", "media", "--out", "report").stdout


@pytest.mark.parametrize("family", ["kmeans", "uniform", "dct"])
def test_every_family_learns_series(run, tmp_path, family):
    waves(tmp_path / "media")
    run("train", "media", "--out", "mine", "--family", family, "--codes", "16")
    assert load(tmp_path / "mine").family == family
    assert "| series | 6 |" in run("report", "mine", "media", "--out", "report").stdout


def test_a_codec_learns_from_conversations(run, tmp_path):
    for number, name in enumerate(["a red box", "a blue box"] * 3):
        picture(tmp_path / f"{number}.png", (200, 0, 0) if "red" in name else (0, 0, 200))
    lines = []
    for number in range(6):
        asked = [{"type": "image_url", "image_url": {"url": f"{number}.png"}}, {"type": "text", "text": "What is it?"}]
        answer = {"role": "assistant", "content": ["a red box", "a blue box"][number % 2]}
        lines.append(json.dumps({"messages": [{"role": "user", "content": asked}, answer]}))
    (tmp_path / "chats.jsonl").write_text("\n".join([*lines, lines[0]]) + "\n")
    found = find_media("chats.jsonl")
    assert found.kind == "image"
    assert [words for _, words in found.sources()] == ["a red box", "a blue box"] * 3
    assert [words for _, words in found.at_most(2).sources()] == ["a red box", "a blue box"]
    run("train", "chats.jsonl", "--out", "mine", "--minutes", "0.02", "--family", "semantic")
    assert load(tmp_path / "mine").facts.name == "image-read"
    run("train", "chats.jsonl", "--out", "other", "--family", "kmeans", "--codes", "2")
    assert "jpeg" in run("report", "other", "chats.jsonl").stdout


def test_of_mixed_media_most_are_taken_and_it_is_said(tmp_path):
    waves(tmp_path)
    picture(tmp_path / "a.png", (0, 0, 0))
    said: list[str] = []
    assert find_media(str(tmp_path), say=said.append).kind == "series"
    assert said == ["taking the 6 media of modality series, not 1 image; choose another with --modality"]
    assert find_media(str(tmp_path), "image").count == 1


def test_a_suffix_of_several_modalities_is_of_the_one_that_opens_it(tmp_path):
    waves(tmp_path)
    other = Cells("aaa", 1, "float32")
    other.extensions = (".csv",)  # type: ignore[misc]
    plugins.register(plugins.MODALITIES, "aaa", other)
    try:
        assert find_media(str(tmp_path)).kind == "series"
        assert find_media(str(tmp_path), "aaa").count == 6, "what is asked for is not guessed"
    finally:
        plugins.unregister(plugins.MODALITIES, "aaa")


def test_media_are_opened_anew_at_each_pass_and_bad_ones_told_once(tmp_path):
    waves(tmp_path)
    (tmp_path / "slow" / "bad.csv").write_text("time,x\n0,hello\n")
    said: list[str] = []
    media = find_media(str(tmp_path)).media(said.append)
    assert [len(signal.array) for signal in media] == [len(signal.array) for signal in media]
    assert len(said) == 1
    assert "left out" in said[0]
    assert media.first().rate_hz == 50
    (tmp_path / "slow" / "0.csv").unlink()
    assert len(list(media)) == 5


def test_lists_of_things_are_cut_into_even_bins():
    boxes = [Signal(np.array([[1, 2, 3, 4]], np.float32), frame=(10.0, 10.0), labels=("cat",))]
    said: list[str] = []
    codec = learn_codec(None, Media.of(boxes * 2), minutes=1, say=said.append, modality="boxes")
    assert codec.family == "uniform"
    assert codec.facts.name == "boxes"


def test_a_class_from_outside_says_itself_how_it_learns():
    class Mean(Codec):
        family = "mean"

        @classmethod
        def learn(cls, media: Media, learning: Learning, **names):
            learning.say(f"{learning.codes} codes of {len(list(media))} media, {names}")
            raise InputError("learned enough")

    plugins.register(plugins.CODECS, "mean", Mean)
    said: list[str] = []
    try:
        with pytest.raises(InputError, match="learned enough"):
            learn_codec("mean", Media.of([Signal(np.zeros(1))]), minutes=1, codes=7, say=said.append, modality="x")
    finally:
        plugins.unregister(plugins.CODECS, "mean")
    assert said == ["7 codes of 1 media, {'modality': 'x'}"]


def test_a_tokenizer_that_transformers_ships_is_fetched(run, tmp_path):
    from sensorium.families.pretrained import _classes

    settings, made = _classes("janus_vqgan")
    shape = {"base_channels": 32, "channel_multiplier": [1, 2], "num_res_blocks": 1, "num_embeddings": 32}
    made(settings(**shape, num_patches=16, latent_channels=64)).save_pretrained(tmp_path / "vq")
    said = run("fetch", "vq", "--out", "mine", "--name", "seen", "--size-px", "16").stdout
    assert "codec seen of modality image" in said
    assert load(tmp_path / "mine").facts.grid == (8, 8)
