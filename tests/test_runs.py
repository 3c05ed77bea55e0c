"""A run from conversations: mixtures, views, weights, validation, and what is chosen where nothing is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_api import chats
from toys import Toy, ToyCodec, random_codes, tiny_base

from sensorium import plugins, runs
from sensorium.data import Sample
from sensorium.data.conversations import read_conversations
from sensorium.model import grow
from sensorium.runs import Data, Source, balanced, start, viewed
from sensorium.training import TrainConfig, read_log
from sensorium.types import Conversation, InputError, Part, as_message


def toys():
    return grow(tiny_base(), [ToyCodec()])


def config(**changes):
    return TrainConfig(**{"max_steps": 2, "log_every": 1, "device": "cpu"} | changes)


def test_files_are_mixed_in_their_shares_and_validated_on_another(tmp_path, monkeypatch):
    one, other, held_out = (chats(tmp_path / f"{n}.jsonl", "user", "assistant") for n in "abc")
    held_out.write_text(held_out.read_text().replace("hello", "good morning"))
    seen, genuine = [], runs.PackedLoader

    def loader(dataset, *args, **options):
        seen.append(dataset)
        return genuine(dataset, *args, **options)

    monkeypatch.setattr(runs, "PackedLoader", loader)
    data = Data(sources=(Source(path=one, share=3), Source(path=other, share=1)), validate=held_out)
    result = start(toys(), data, config(), tmp_path / "run")
    assert seen[0].counts.tolist() == [12, 4]
    assert result.validation is not None
    assert len(read_log(tmp_path / "run" / "log.jsonl", "validation")) == 1


def test_views_change_what_is_read_and_leave_the_first_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "_registered", {})
    plugins.register(plugins.MODALITIES, "toy", Toy())
    codec = ToyCodec()
    medium = codec.decode([random_codes(codec)])[0]
    talk = Conversation((as_message("user", [Part("toy", data=medium), "what?"]), as_message("assistant", "this")))
    monkeypatch.setattr(runs, "read_conversations", lambda path: iter([talk]))

    def change(signal, generator):
        return signal.with_array(np.roll(signal.array, int(generator.integers(1, 3)), 0))

    source = Source(path=tmp_path / "a.jsonl", views=3, change=change)
    first, *others = viewed(source)
    assert first is talk
    assert len(others) == 2
    for view in others:
        part = view.messages[0].parts[0]
        assert not np.array_equal(part.data.array, medium.array)
        assert view.messages[1] == talk.messages[1]
    again = [view.messages[0].parts[0].data.array for view in list(viewed(source))[1:]]
    assert all(np.array_equal(a, b.messages[0].parts[0].data.array) for a, b in zip(again, others, strict=True))
    with pytest.raises(InputError, match="views must be 1, or more with a change"):
        Source(path="a.jsonl", views=2)


def test_words_are_heard_beside_codes():
    grown = toys()
    codes = grown.vocabulary.layout("toy").ids(random_codes(grown.codecs["toy"]))
    every = np.array([5, *codes, 6, 7], dtype=np.int32)
    found = balanced([Sample(every, np.arange(len(every)) > 0)], grown.vocabulary)
    assert found == {"text": pytest.approx(8 / 4)}, "two words and two markers beside eight codes"
    text = np.array([5, 6, 7], dtype=np.int32)
    assert balanced([Sample(text, np.ones(3, bool))], grown.vocabulary) == {"text": 1.0}


@pytest.mark.parametrize(("seconds", "rows"), [(1e-4, 8), (0.1, 2), (50.0, 1)])
def test_steps_are_small_enough_for_the_time_and_stay_what_they_were(tmp_path, monkeypatch, seconds, rows):
    monkeypatch.setattr(runs, "_seconds_of", lambda *about: seconds)
    taken = []
    monkeypatch.setattr(runs, "fit", lambda grown, loader, *rest: taken.append(loader))
    data = Data(sources=(Source(path=chats(tmp_path / "a.jsonl", "user", "assistant")),))
    start(toys(), data, config(minutes=1, max_steps=None), tmp_path / "run")
    monkeypatch.setattr(runs, "_seconds_of", lambda *about: pytest.fail("a run that goes on was timed again"))
    start(toys(), data, config(minutes=2, max_steps=None), tmp_path / "run")
    assert [loader.batch_rows for loader in taken] == [rows, rows]
    assert taken[0].row_tokens == 256
    assert json.loads((tmp_path / "run" / "batch.json").read_text()) == {"rows": rows, "row_tokens": 256}


def test_a_row_is_timed_and_nothing_is_left_of_it(tmp_path):
    grown, data = toys(), Data(sources=(Source(path=chats(tmp_path / "a.jsonl", "user", "assistant")),))
    result = start(grown, data, config(minutes=0.02, max_steps=None), tmp_path / "run")
    assert result.steps > 1
    assert len(list(read_conversations(data.sources[0].path))) == 8


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_under_torchrun_one_process_encodes_and_both_train(tmp_path):
    chats(tmp_path / "a.jsonl", "user", "assistant")
    script = tmp_path / "two.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import os\nfrom pathlib import Path\nfrom test_runs import toys, config\n"
        "from sensorium import api, runs\n"
        "wrote, genuine = [], runs.write_shards\n"
        "runs.write_shards = lambda *args: wrote.append(1) or genuine(*args)\n"
        "here = Path(sys.argv[1])\n"
        "result = api.train(toys(), here / 'a.jsonl', out=here / 'run', max_steps=2, device='cpu')\n"
        "(here / f'told-{os.environ[\"RANK\"]}').write_text(f'{len(wrote)} {result.steps} {result.loss}')\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone"]
    done = subprocess.run([*command, str(script), str(tmp_path)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ((tmp_path / f"told-{rank}").read_text().split() for rank in (0, 1))
    assert (first[0], second[0]) == ("1", "0")
    assert first[1:] == second[1:]


def test_a_run_that_was_killed_in_its_first_save_starts_as_it_did(tmp_path, monkeypatch):
    chats(tmp_path / "a.jsonl", "user", "assistant")
    started = []
    monkeypatch.setattr(runs, "start_at_places", lambda grown, hidden, following, codecs: started.append(codecs))
    data = Data(sources=(Source(path=tmp_path / "a.jsonl"),))
    (tmp_path / "run" / "checkpoints" / ".step-00000001.cut").mkdir(parents=True)
    start(toys(), data, config(), tmp_path / "run")
    start(toys(), data, config(max_steps=3), tmp_path / "run")
    assert started == [["toy"]], "once, and not again where a checkpoint is whole"


def test_rows_that_have_learned_do_not_start_again_in_another_run(tmp_path, monkeypatch):
    chats(tmp_path / "a.jsonl", "user", "assistant")
    started = []
    monkeypatch.setattr(runs, "start_at_places", lambda grown, hidden, following, codecs: started.append(codecs))
    data, grown = Data(sources=(Source(path=tmp_path / "a.jsonl"),)), toys()
    start(grown, data, config(), tmp_path / "one")
    start(grown, data, config(), tmp_path / "other")
    assert started == [["toy"]]


def test_a_model_that_trains_in_full_finds_its_places_itself(tmp_path, monkeypatch):
    chats(tmp_path / "a.jsonl", "user", "assistant")
    monkeypatch.setattr(runs, "start_at_places", lambda *_: pytest.fail("its rows were moved"))
    grown = grow(tiny_base(), [ToyCodec()], learn="full")
    start(grown, Data(sources=(Source(path=tmp_path / "a.jsonl"),)), config(), tmp_path / "run")
    assert not grown.new


def test_rows_that_read_start_at_what_the_data_say_of_their_media(tmp_path, monkeypatch):
    codec = ToyCodec()
    said = ["a red heart", "this world", "hello", "what is"]
    talks = [
        Conversation(
            (
                as_message("user", [Part("toy", codes=random_codes(codec, number % 4), codec="toy"), "what?"]),
                as_message("assistant", said[number % 4]),
            )
        )
        for number in range(12)
    ]
    monkeypatch.setattr(runs, "read_conversations", lambda path: iter(talks))
    seen, genuine = [], runs.start_at_words

    def start_at_words(grown, known, codecs, **how):
        seen.append((len(known), len(known.texts), codecs, genuine(grown, known, codecs, **how)))

    monkeypatch.setattr(runs, "start_at_words", start_at_words)
    data = Data(sources=(Source(path=tmp_path / "talks.jsonl"),), rows=1, row_tokens=64)
    start(toys(), data, config(), tmp_path / "run")
    start(toys(), data, config(max_steps=3), tmp_path / "run")  # goes on; nothing starts again
    ((media, texts, codecs, loss),) = seen
    assert (media, texts, codecs) == (12, 4, ["toy"])
    assert loss < 0.5 < np.log(4)
    whole = grow(tiny_base(), [ToyCodec()], learn="full")
    start(whole, data, config(), tmp_path / "whole")
    assert len(seen) == 1


def test_rows_that_begin_at_words_stay_there_whichever_codebook_says_them():
    class Worded(ToyCodec):
        def __init__(self, header: bool, frames: bool):
            super().__init__(header=(("kind", 2),))
            self._header, self._frames = header, frames

        def header_words(self, codebook):
            return ("red", "blue") if self._header else None

        def words(self, codebook):
            return [f"word {number}" for number in range(self.facts.codebook_sizes[codebook])] if self._frames else None

    assert [runs._reads_without_words(Worded(*one)) for one in ((0, 0), (1, 0), (0, 1))] == [True, False, False]
