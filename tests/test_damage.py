"""Folders damaged in every way: each loads and answers, or gets one sentence, soon and in little memory."""

from __future__ import annotations

import copy
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from serving import running
from toys import ToyCodec, tiny_base

import sensorium as sm
from sensorium.codecs import load_codec
from sensorium.data import TokenShards, write_shards
from sensorium.data.codes import CodeCache
from sensorium.families.dct import DCTCodec
from sensorium.families.fsq import FSQCodec, FSQConfig
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.uniform import UniformCodec
from sensorium.files import atomic_file, atomic_folder
from sensorium.model import Model, grow
from sensorium.model.folder import HEAD_FILE
from sensorium.training import checkpoint
from sensorium.types import Conversation, InputError, as_message

SECONDS, BYTES = 2.0, 600 * 2**20
SEED = 20
FSQ = FSQConfig(
    size_px=8, grid=2, levels=(4, 4), encoder_widths=(4,), encoder_blocks=(1,), decoder_widths=(4,), decoder_blocks=(1,)
)


def codecs() -> list[Any]:
    return [
        FSQCodec(FSQ),
        UniformCodec(["x"], bins=4, max_frames=4),
        DCTCodec(2, window=4, kept=2, bins=5, max_frames=2, name="acts", modality="actions"),
    ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A whole model, one of rows and an adapter on a base beside it, and codecs of other families."""
    place = tmp_path_factory.mktemp("sound")
    base = tiny_base("llama")
    base.lm.save_pretrained(place / "base")
    base.tokenizer.save_pretrained(place / "base")
    sm.grow(place / "base", codecs()).fold().save(place / "whole")
    sm.grow(place / "base", codecs(), learn="adapter", lora_rank=2).fold().save_rows(place / "rows")
    centroids = np.random.default_rng(0).random((8, 48)).astype(np.float32)
    KMeansCodec(centroids, size_px=8, patch_px=4).save(place / "kmeans")
    return {name: place / name for name in ("whole", "rows", "kmeans")}


VALUES: dict[str, Any] = {
    "text": "x",
    "number": 7,
    "null": None,
    "true": True,
    "negative": -3,
    "zero": 0,
    "huge": 10**6,
    "immense": 10**30,
    "fraction": 0.5,
    "no number": float("nan"),
    "long text": "n" * 300,
    "longer text": "n" * 10**6,
    "empty list": [],
    "list": [1e308, "a", None],
    "object": {"a": {"b": []}},
    "deep": json.loads("[" * 90 + "]" * 90),
}
FILES = ("", "{}", "[]", "null", '{"a"', "\ufeff{}", "NaN", "[" * 100_000, '{"format": 2}')


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of everything in a value of JSON, lists and objects too; of long lists the first item."""
    yield path
    if isinstance(value, dict):
        for key in list(value)[:80]:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for place in range(min(len(value), 2)):
            yield from leaves(value[place], (*path, place))


def put(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    value = copy.deepcopy(value)
    inside = value
    for step in path[:-1]:
        inside = inside[step]
    change(inside, path[-1])
    return value


def unsealed(head: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in head.items() if name not in ("checksums", "seal", "fingerprint")}


Damage = tuple[str, Callable[[Path], None]]


def damages(sound: Path) -> Iterator[Damage]:
    """All that can be done to each file of a folder, by name."""
    for path in sorted(sound.rglob("*")):
        name = str(path.relative_to(sound))
        if path.is_dir():
            yield f"{name}/ missing", lambda folder, name=name: shutil.rmtree(folder / name)
            continue
        yield f"{name} missing", lambda folder, name=name: (folder / name).unlink()
        yield f"{name} a folder", lambda folder, name=name: _as_folder(folder / name)
        yield f"{name} a circle", lambda folder, name=name: _as_circle(folder / name)
        yield f"{name} binary", lambda folder, name=name: (folder / name).write_bytes(os.urandom(3000))
        for share in (0.0, 0.3, 0.9):
            yield f"{name} cut at {share}", lambda folder, name=name, share=share: _cut(folder / name, share)
        if path.suffix == ".json":
            yield from json_damages(name, json.loads(path.read_text()))


def json_damages(name: str, sound: Any) -> Iterator[Damage]:
    def write(change: Callable[[Any, Any], None], path: tuple[Any, ...]) -> Callable[[Path], None]:
        return lambda folder: _write(folder / name, json.dumps(put(unsealed(sound), path, change)))

    for text in FILES:
        yield f"{name} = {text[:12]}", lambda folder, text=text: _write(folder / name, text)
    for path in leaves(unsealed(sound)):
        if not path:
            continue
        where = f"{name} {'.'.join(map(str, path))}"
        for what, value in VALUES.items():
            yield f"{where} {what}", write(lambda inside, key, value=value: inside.__setitem__(key, value), path)
        yield f"{where} missing", write(lambda inside, key: inside.__delitem__(key), path)
        if isinstance(path[-1], str):
            yield f"{where} and more", write(lambda inside, key: inside.__setitem__(f"{key}_more", 1), path)


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _as_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def outcome(folder: Path) -> str:
    """ "answers", or the sentence; what took too long or too much is an AssertionError."""
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        if (folder / "codec.json").exists():
            found = load_codec(folder)
            found.decode(found.encode([sm.Signal(np.zeros((8, 8, 3), np.uint8))]))
        else:
            sm.load(folder).chat("hi", max_tokens=2)
        said = "answers"
    except InputError as error:
        said = str(error)
        assert said and "\n" not in said and len(said) < 1500, said
    assert time.process_time() - began < SECONDS, "it takes too long"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES, "it takes too much memory"
    return said


def wreck(sound: Path, place: Path, damage: Damage) -> str | None:
    """What went wrong with a damage; None where the folder answers or gets a sentence."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(sound, place)
    head = place / HEAD_FILE
    if head.exists():  # else its checksums would tell every damage
        head.write_text(json.dumps(unsealed(json.loads(head.read_text()))))
    with_damage, do = damage
    try:
        do(place)
        outcome(place)
    except Exception as error:
        return f"{sound.name}: {with_damage}: {type(error).__name__}: {error!s:.200}"
    return None


def everything(folders: dict[str, Path]) -> list[tuple[Path, Damage]]:
    return [(sound, damage) for sound in folders.values() for damage in damages(sound)]


def test_a_damaged_folder_answers_or_gets_one_sentence(folders, tmp_path):
    """A sample of all damages, drawn anew when the number of damages changes."""
    every = everything(folders)
    chosen = np.random.default_rng(SEED).choice(len(every), 60, replace=False)
    wrong = [found for at in chosen if (found := wreck(every[at][0], tmp_path / every[at][0].name, every[at][1]))]
    assert not wrong


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_damaged_folders_answer_or_get_one_sentence(folders, tmp_path):
    """A sixth of all there are, or, with ``EVERY_DAMAGE=1``, all, which takes ten minutes."""
    every = everything(folders)
    assert len(every) > 3000
    if not os.environ.get("EVERY_DAMAGE"):
        chosen = np.random.default_rng(SEED + 1).choice(len(every), len(every) // 6, replace=False)
        every = [every[at] for at in chosen]
    wrong = [found for sound, damage in every if (found := wreck(sound, tmp_path / sound.name, damage))]
    assert not wrong, f"{len(wrong)} of {len(every)}: {wrong[:20]}"


SIZES = {
    "blocks": ("encoder_blocks", [10**6]),
    "widths": ("encoder_widths", [8192] * 16),
    "a patch of none": ("patch_px", 0),
    "levels": ("levels", [65536] * 8),
}


@pytest.mark.parametrize(("key", "value"), SIZES.values(), ids=SIZES)
def test_sizes_are_checked_before_memory_is_taken(folders, tmp_path, key, value):
    shutil.copytree(folders["whole"] / "codecs" / "image", tmp_path / "codec")
    head = json.loads((tmp_path / "codec" / "codec.json").read_text())
    head["config"][key] = value
    (tmp_path / "codec" / "codec.json").write_text(json.dumps(unsealed(head)))
    assert "the codec in" in outcome(tmp_path / "codec")


CONFIGS = {
    "layers": {"num_hidden_layers": 10**6},
    "more layers than weights": {"num_hidden_layers": 900},
    "hidden": {"hidden_size": 2**24},
    "vocabulary": {"vocab_size": 2**24},
}


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_sizes_of_the_language_model_too(folders, tmp_path, changes):
    shutil.copytree(folders["whole"], tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    head = tmp_path / "model" / HEAD_FILE
    head.write_text(json.dumps(unsealed(json.loads(head.read_text()))))
    assert outcome(tmp_path / "model") != "answers"


def flipped(path: Path, count: int, seed: int = 0) -> Iterator[int]:
    """Flips a bit of a file, again and again another one."""
    sound, generator = path.read_bytes(), np.random.default_rng(seed)
    for place in generator.integers(0, 8 * len(sound), count).tolist():
        changed = bytearray(sound)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        yield place
    path.write_bytes(sound)


def test_every_flipped_bit_of_a_model_is_noticed(folders, tmp_path):
    shutil.copytree(folders["whole"], tmp_path / "model")
    silent = []
    for path in sorted((tmp_path / "model").rglob("*")):
        for place in flipped(path, 3) if path.is_file() else ():
            with pytest.raises(InputError) if path.suffix != ".json" else _refused_or_same(silent, path, place):
                Model.load(tmp_path / "model")
    assert not silent
    assert Model.load(tmp_path / "model")


class _refused_or_same:
    """White space may change in files of JSON."""

    def __init__(self, silent: list[str], path: Path, place: int):
        self.silent, self.path, self.place = silent, path, place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if kind is None and self.path.name not in ("codec.json", HEAD_FILE):
            self.silent.append(f"{self.path} bit {self.place}")
        return kind is not None and issubclass(kind, InputError)


def test_plain_transformers_reads_a_folder_with_checksums(folders):
    from transformers import AutoModelForCausalLM

    assert "seal" in json.loads((folders["whole"] / HEAD_FILE).read_text())
    assert AutoModelForCausalLM.from_pretrained(folders["whole"]).config.vocab_size


def test_a_head_that_was_changed_on_purpose_says_how_it_is_taken(folders, tmp_path):
    shutil.copytree(folders["whole"], tmp_path / "model")
    head = tmp_path / "model" / HEAD_FILE
    found = json.loads(head.read_text()) | {"sampling": {"image": {"temperature": 0.8}}}
    head.write_text(json.dumps(found))
    with pytest.raises(InputError, match='delete "checksums" and "seal" from it'):
        Model.load(tmp_path / "model")
    head.write_text(json.dumps(unsealed(found)))
    assert Model.load(tmp_path / "model").sampling == {"image": {"temperature": 0.8}}


@pytest.fixture
def toy_shards(tmp_path):
    grown = grow(tiny_base("llama"), [ToyCodec("toy", "both")])
    talks = [Conversation((as_message("user", f"say {n}"), as_message("assistant", f"it is {n}"))) for n in range(30)]
    return talks, grown.senses, write_shards(talks, grown.senses, tmp_path / "shards", per_shard=16)


def samples(folder: Path, senses: Any) -> list[Any]:
    found = TokenShards(folder, senses)
    return [(found[n].ids.tolist(), found[n].mask.tolist()) for n in range(len(found))]


def test_a_flipped_bit_of_token_shards_is_noticed_and_written_anew(toy_shards):
    talks, senses, folder = toy_shards
    expected, noticed = samples(folder, senses), 0
    for path in sorted(folder.iterdir()):
        for place in flipped(path, 60):
            try:
                assert samples(folder, senses) == expected, f"bit {place} of {path.name} changes what is trained on"
            except InputError:
                noticed += 1
    assert noticed > 60
    shard = folder / "shard-00001.arrow"
    content = bytearray(shard.read_bytes())
    content[content.index(np.array(expected[-1][0], np.int32).tobytes())] ^= 1
    shard.write_bytes(content)
    write_shards(talks, senses, folder, per_shard=16)
    assert samples(folder, senses) == expected


def test_a_flipped_bit_of_cached_codes_is_noticed(tmp_path):
    cache = CodeCache(tmp_path)
    known = {bytes([n]) * 32: np.arange(20) + n for n in range(20)}
    cache.put(known)
    for _ in flipped(next(tmp_path.glob("*.arrow")), 60):
        found = CodeCache(tmp_path)
        assert all(np.array_equal(found[key], known[key]) for key in found._rows)


def test_every_flipped_bit_of_a_checkpoint_is_noticed(tmp_path):
    tensors = {"a": torch.arange(300.0)}
    made = checkpoint.Checkpoint(tensors, tensors, {"step": 3, "kinds": ["text"], "seconds": 1.5})
    path = checkpoint.save(tmp_path, 3, made)
    for file in sorted(path.iterdir()):
        for place in flipped(file, 60):
            try:
                assert checkpoint.load(path).state == made.state, f"bit {place} of {file.name}"
                assert file.name == "state.json", f"bit {place} of {file.name}"  # white space may change there
            except InputError:
                continue
    assert checkpoint.load(path).state == made.state


def test_checkpoints_of_format_1_are_still_read(tmp_path):
    tensors = {"a": torch.arange(3.0)}
    path = checkpoint.save(tmp_path, 3, checkpoint.Checkpoint(tensors, tensors, {"step": 3}))
    head = json.loads((path / "state.json").read_text())
    sums = {name: {"bytes": one[0], "sha256": one[1]} for name, one in head["checksums"].items()}
    (path / "state.json").write_text(json.dumps({"format": 1, "files": sums, "state": {"step": 3}}))
    assert checkpoint.load(path).state == {"step": 3}


KILLED = """
import sys, time
from sensorium.files import atomic_file, atomic_folder
with {save}(sys.argv[1]) as out:
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("save", [atomic_file, atomic_folder], ids=["file", "folder"])
def test_what_a_killed_save_leaves_is_removed_by_the_next(tmp_path, save):
    target = tmp_path / "thing"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(save=save.__name__), str(target)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    (left,) = tmp_path.iterdir()
    with save(target) as out:
        assert left.exists(), "another process is still writing it"
        (out if save is atomic_file else out / "a").write_text("new")
    process.send_signal(signal.SIGKILL)
    process.wait()
    other = tmp_path / "second" / "thing"
    other.parent.mkdir()
    left.rename(other.parent / left.name)
    with save(other) as out:
        (out if save is atomic_file else out / "a").write_text("new")
    assert [path.name for path in other.parent.iterdir()] == ["thing"]


def test_a_folder_that_a_killed_save_moved_aside_is_found_again(folders, tmp_path):
    shutil.copytree(folders["whole"], tmp_path / ".model.old")
    assert Model.load(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


BAD_NAMES = ["n" * 300, "a\0b", "../" * 2000, "", ".", "/dev/zero", "x/" + "y" * 300]


def test_loading_what_is_damaged_is_a_400_with_the_sentence(folders, tmp_path):
    shutil.copytree(folders["whole"], tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text('{"model_type": 7}')
    (tmp_path / "card").mkdir()
    shutil.copytree(folders["whole"], tmp_path / "card", dirs_exist_ok=True)
    (tmp_path / "card" / "README.md").write_bytes(b"---\nlanguage: [\xff\n---")
    with running() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        _load_all(client, tmp_path)


def _load_all(client: httpx.Client, tmp_path: Path) -> None:
    for name in [*BAD_NAMES, str(tmp_path / "model")]:
        reply = client.post("/v1/models/load", json={"model": name})
        assert reply.status_code == 400 and "\n" not in reply.json()["error"]["message"], (name[:50], reply.text)
    assert "config.json" in reply.json()["error"]["message"]
    assert client.post("/v1/models/load", json={"model": str(tmp_path / "card")}).status_code == 200
