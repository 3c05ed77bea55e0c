"""From conversations to token shards and back, importers and templates."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import dots
import numpy as np
import pytest
from toys import ToyCodec, random_codes

from sensorium import plugins
from sensorium.data import (
    Template,
    TokenShards,
    import_file,
    read_conversations,
    read_folder,
    read_sharegpt,
    write_conversations,
    write_shards,
)
from sensorium.data.codes import stamp
from sensorium.types import Conversation, InputError, Part, Signal, as_message


@pytest.fixture(autouse=True)
def modality(monkeypatch):
    dots.install(monkeypatch)


@pytest.fixture
def codec():
    return dots.dots_codec()


@pytest.fixture
def senses(codec):
    return dots.senses_for(codec)


def chat(question, answer) -> Conversation:
    return Conversation((as_message("user", question), as_message("assistant", answer)))


def numbered(count: int) -> list[Conversation]:
    return [chat(f"what is {n}?", f"number {n}") for n in range(count)]


def dots_file(path: Path, text: str = "1 2 3 4") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def spelled(shards: TokenShards, senses) -> list[str]:
    """The text of every sample."""
    return ["".join(p.data for p in senses.stream.parse(shards[n].ids) if p.is_text) for n in range(len(shards))]


# --- JSONL ---


def test_conversations_survive_a_round_trip(tmp_path, codec):
    codes = random_codes(codec)
    inside, outside = dots_file(tmp_path / "set" / "media" / "a.dots"), dots_file(tmp_path / "b.dots")
    conversations = [
        chat("hello", "hi\nthere ✓"),
        Conversation((as_message("user", "more"), replace(as_message("assistant", "and so"), finished=False))),
        Conversation((as_message("user", "and?"), replace(as_message("assistant", "and so"), learned=False))),
        chat([Part("dots", inside), "what?", Part("dots", outside)], [Part("dots", codes=codes, codec="dots"), "done"]),
    ]
    file = tmp_path / "set" / "talks.jsonl"
    assert write_conversations(conversations, file) == 4
    assert list(read_conversations(file)) == conversations
    assert '"media/a.dots"' in file.read_text(), "files beside the JSONL are named relative to it"


def test_bytes_and_arrays_travel_in_the_line(tmp_path):
    array = np.array([[1], [2], [3], [4]])
    file = tmp_path / "talks.jsonl"
    write_conversations([chat([Part("dots", b"4 3 2 1")], "a"), chat([Part("dots", array)], "b")], file)
    opened = [dots.Dots().open(next(iter(c.parts())).data).array.ravel().tolist() for c in read_conversations(file)]
    assert opened == [[4, 3, 2, 1], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "dots_url", "dots_url": {"url": "a.dots"}},
        {"type": "dots_url", "dots_url": "a.dots"},
        {"type": "dots", "dots": "a.dots"},
        {"type": "dots", "dots": {"path": "a.dots"}},
        {"type": "dots", "dots": "data:text/x-dots;base64,MSAyIDMgNA=="},
        {"type": "input_dots", "input_dots": {"data": "MSAyIDMgNA==", "format": "dots"}},
    ],
)
def test_every_form_of_a_medium_is_understood(tmp_path, part):
    dots_file(tmp_path / "a.dots")
    record = {"messages": [{"role": "user", "content": [part]}, {"role": "assistant", "content": "yes"}]}
    (tmp_path / "talks.jsonl").write_text(json.dumps(record))
    (conversation,) = read_conversations(tmp_path / "talks.jsonl")
    (medium, _) = conversation.parts()
    assert medium.modality == "dots"
    assert dots.Dots().open(medium.data).array.ravel().tolist() == [1, 2, 3, 4]


def test_a_developer_speaks_as_the_system(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"messages": [{"role": "developer", "content": "be brief"}]}\n')
    (conversation,) = read_conversations(tmp_path / "t.jsonl")
    assert conversation.messages[0].role == "system"


def test_reading_a_bad_line_says_which_one(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n\n{"messages": []}\n')
    with pytest.raises(InputError, match=r'line 3: "messages" is an empty list'):
        list(read_conversations(tmp_path / "t.jsonl"))


# --- importers ---

LLAVA = {
    "id": "1",
    "dots": "media/a.dots",
    "conversations": [{"from": "human", "value": "<dots>\nWhat is it?"}, {"from": "gpt", "value": "Four dots."}],
}


@pytest.mark.parametrize("as_lines", [True, False])
def test_llava_files_become_conversations(tmp_path, as_lines):
    src = tmp_path / "llava.json"
    src.write_text(json.dumps(LLAVA) + "\n" + json.dumps(LLAVA) if as_lines else json.dumps([LLAVA, LLAVA], indent=1))
    assert import_file("llava", src, tmp_path / "out.jsonl") == 2
    expected = chat([Part("dots", tmp_path / "media" / "a.dots"), "What is it?"], "Four dots.")
    assert list(read_conversations(tmp_path / "out.jsonl")) == [expected, expected]


def test_several_media_go_to_their_placeholders_in_order(tmp_path):
    turns = [{"from": "human", "value": "First <dots> then <dots>, which?"}, {"from": "gpt", "value": "The first."}]
    (tmp_path / "s.json").write_text(json.dumps([{"dots": ["a.dots", "b.dots"], "conversations": turns}]))
    (conversation,) = read_sharegpt(tmp_path / "s.json", media=Path("there"))
    first, second = Part("dots", Path("there/a.dots")), Part("dots", Path("there/b.dots"))
    assert conversation == chat(["First ", first, " then ", second, ", which?"], "The first.")


def test_media_without_placeholder_open_the_first_user_message(tmp_path):
    record = {"dots": "a.dots", "messages": [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "x"}]}
    (tmp_path / "s.json").write_text(json.dumps([record]))
    (conversation,) = read_sharegpt(tmp_path / "s.json")
    assert conversation == chat([Part("dots", tmp_path / "a.dots"), "Hm?"], "x")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dots": ["a.dots", "b.dots"]}, "record 2: 1 files have no placeholder"),
        ({"dots": []}, None),
        ({"conversations": [{"from": "alien", "value": "x"}]}, "record 2: unknown speaker 'alien'"),
        ({"conversations": None}, 'record 2: there is no list "conversations"'),
        ({"dots": "https://example.org/a.dots"}, "record 2: is a web address"),
    ],
)
def test_a_bad_record_is_named_and_nothing_is_written(tmp_path, change, sentence):
    (tmp_path / "s.json").write_text(json.dumps([LLAVA, {**LLAVA, **change}]))
    if sentence is None:  # no files: "<dots>" is ordinary text
        assert import_file("sharegpt", tmp_path / "s.json", tmp_path / "out.jsonl") == 2
        return
    with pytest.raises(InputError, match=sentence):
        import_file("sharegpt", tmp_path / "s.json", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_folder_with_captions_trains_both_directions(tmp_path, caplog):
    for name in "abcd":
        dots_file(tmp_path / "set" / f"{name}.dots")
    (tmp_path / "set" / "a.txt").write_text("a line\n")
    (tmp_path / "set" / "captions.csv").write_text("file_name,caption\nb.dots,a square\n")
    (tmp_path / "set" / "captions.jsonl").write_text('{"file_name": "c.dots", "text": "a row"}\n')
    assert import_file("folder", tmp_path / "set", tmp_path / "out.jsonl") == 6
    answers = [c.messages[-1] for c in read_conversations(tmp_path / "out.jsonl")]
    assert [m.text for m in answers[::2]] == ["a line", "a square", "a row"]
    assert [m.parts[0].data.name for m in answers[1::2]] == ["a.dots", "b.dots", "c.dots"]
    assert "d.dots" in caplog.text, "the file without caption is named"
    assert import_file("folder", tmp_path / "set", tmp_path / "out.jsonl", make=False) == 3


def test_a_folder_without_captions_or_media_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file of a known kind"):
        list(read_folder(tmp_path))
    dots_file(tmp_path / "a.dots")
    with pytest.raises(InputError, match=r"no file in .* has a caption"):
        list(read_folder(tmp_path))
    with pytest.raises(InputError, match="no importer named 'coco'"):
        import_file("coco", tmp_path, tmp_path / "out.jsonl")


# --- templates ---

TASK = Template(
    ask={"en": ["{medium}What is this?", "{medium}Name it."], "fr": ["{medium}Qu'est-ce que c'est ?"]},
    answer={"en": ["It is {name}."], "fr": ["C'est {name}."]},
)
FIELDS = {"medium": Part("dots", "a.dots"), "name": {"en": "a line", "fr": "une ligne"}}


def test_templates_speak_the_language_asked_for():
    assert TASK.fill(FIELDS, language="fr") == chat([FIELDS["medium"], "Qu'est-ce que c'est ?"], "C'est une ligne.")


def test_templates_vary_with_the_seed_and_only_with_it():
    def said(seed):
        return [message.text for message in TASK.fill(FIELDS, seed=seed).messages]

    assert [said(seed) for seed in range(30)] == [said(seed) for seed in range(30)]
    assert len({tuple(said(seed)) for seed in range(30)}) == 3


def test_a_missing_field_or_language_is_told():
    with pytest.raises(InputError, match="needs the field 'name' in 'en'"):
        TASK.fill({"medium": "x"}, language="en")
    with pytest.raises(InputError, match="no phrasing in 'de'; it has: en, fr"):
        TASK.fill(FIELDS, language="de")


# --- shards ---


def test_shards_hold_what_the_stream_renders(tmp_path, senses, codec):
    file = dots_file(tmp_path / "a.dots", "7 0 1 2")
    conversations = [*numbered(5), chat([Part("dots", file), "?"], "four"), chat("make", [Part("dots", b"1 1 2 2")])]
    shards = TokenShards(write_shards(conversations, senses, tmp_path / "s", per_shard=3))
    assert len(shards) == 7
    with_codes = [
        c.with_codes(dots.Dots().open(c.data).array.ravel(), "dots")
        for c in (Part("dots", file), Part("dots", b"1 1 2 2"))
    ]
    expected = [*conversations[:5], chat([with_codes[0], "?"], "four"), chat("make", [with_codes[1]])]
    for n, conversation in enumerate(expected):
        rendered = senses.stream.render(conversation)
        assert np.array_equal(shards[n].ids, rendered.ids)
        assert np.array_equal(shards[n].mask, rendered.mask)
    assert shards.lengths.tolist() == [len(shards[n].ids) for n in range(7)]
    assert shards.head["kinds"]["dots"] == 8
    with pytest.raises(IndexError):
        shards[7]


def test_the_same_content_is_encoded_once(tmp_path, senses, codec):
    for name in "abc":
        dots_file(tmp_path / f"{name}.dots", "1 2 3 4")
    array = np.array([[1], [2], [3], [4]])
    media = [Part("dots", tmp_path / f"{name}.dots") for name in "abc"] + [
        Part("dots", array),
        Part("dots", array.copy()),
    ]
    conversations = [chat([part], "x") for part in media]
    write_shards(conversations, senses, tmp_path / "one", per_shard=2)
    assert codec.encoded == 2, "three equal files, two equal arrays"
    write_shards(reversed(conversations), senses, tmp_path / "two", per_shard=2)
    assert codec.encoded == 2, "the cache outlives the call"
    other = dots.dots_codec(size=9)
    write_shards(conversations, dots.senses_for(other), tmp_path / "three")
    assert other.encoded == 2, "another codec has codes of its own"


def test_media_with_codes_are_not_opened(tmp_path, senses, codec):
    part = Part("dots", tmp_path / "gone.dots", codes=random_codes(codec), codec="dots")
    shards = TokenShards(write_shards([chat([part], "x")], senses, tmp_path / "s"))
    assert part in senses.stream.parse(shards[0].ids)


def test_a_second_run_writes_nothing(tmp_path, senses, codec):
    folder = write_shards(numbered(10), senses, tmp_path / "s", per_shard=4)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.arrow")}
    write_shards(numbered(10), senses, folder, per_shard=4)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.arrow")} == before
    assert len(before) == 3


def test_only_what_is_missing_or_cut_is_written_again(tmp_path, senses, codec):
    folder = write_shards(numbered(10), senses, tmp_path / "s", per_shard=4)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    kept = (folder / "shard-00000.arrow").stat().st_mtime_ns
    (folder / "shard-00001.arrow").unlink()
    (folder / "shard-00002.arrow").write_bytes(whole["shard-00002.arrow"][:-100])
    with pytest.raises(InputError, match=r"shard-00001.arrow is missing, damaged"):
        TokenShards(folder)
    write_shards(numbered(10), senses, folder, per_shard=4)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    assert (folder / "shard-00000.arrow").stat().st_mtime_ns == kept


def test_changed_conversations_replace_the_old(tmp_path, senses, codec):
    folder = write_shards(numbered(10), senses, tmp_path / "s", per_shard=4)
    changed = [*numbered(5), chat("new", "words")]
    shards = TokenShards(write_shards(changed, senses, folder, per_shard=4))
    assert len(shards) == 6
    assert "words" in spelled(shards, senses)[5]
    assert not (folder / "shard-00002.arrow").exists()


def test_a_changed_file_is_encoded_again(tmp_path, senses, codec):
    file = dots_file(tmp_path / "a.dots", "1 1 1 1")
    talk = [chat([Part("dots", file)], "x")]
    folder = write_shards(talk, senses, tmp_path / "s")
    dots_file(file, "2 2 2 2")
    os.utime(file, ns=(1, 1))
    shards = TokenShards(write_shards(talk, senses, folder))
    (medium,) = (part for part in senses.stream.parse(shards[0].ids) if not part.is_text)
    assert medium.codes.ravel().tolist() == [2, 2, 2, 2]


def test_an_object_that_changed_in_place_is_encoded_again(tmp_path, monkeypatch):
    class Drawing(list):
        __repr__ = object.__repr__  # the address, as pictures of other libraries have it

    monkeypatch.setattr(type(plugins.load(plugins.MODALITIES, "dots")), "adopt", lambda self, data: self.check(data[0]))
    drawing = Drawing([Signal(np.array([[1], [2], [3], [4]]))])
    part = Part("dots", drawing)
    before = stamp(part)
    drawing[0] = Signal(np.array([[4], [3], [2], [1]]))
    assert stamp(part) != before


def test_an_error_names_the_conversation_and_keeps_finished_shards(tmp_path, senses, codec):
    bad = chat([Part("dots", dots_file(tmp_path / "bad.dots", "not dots"))], "x")
    with pytest.raises(InputError, match=r"conversation 6: .*bad.dots holds no dots"):
        write_shards([*numbered(5), bad], senses, tmp_path / "s", per_shard=4)
    assert (tmp_path / "s" / "shard-00000.arrow").exists()
    with pytest.raises(InputError, match=r"shards.json is missing"):
        TokenShards(tmp_path / "s")
    with pytest.raises(InputError, match=r"conversation 1: there is no file .*gone.dots"):
        write_shards([chat([Part("dots", tmp_path / "gone.dots")], "x")], senses, tmp_path / "t")
    short = Part("dots", codes=random_codes(codec)[:3], codec="dots")
    with pytest.raises(InputError, match="conversation 1: codec 'dots' takes exactly 4 frames of 1 codes, not 3 codes"):
        write_shards([chat([short], "x")], senses, tmp_path / "t")
    with pytest.raises(InputError, match=r"conversation 1: this model cannot read 'smell'; .* by more codecs"):
        write_shards([chat([Part("smell", b"")], "x")], senses, tmp_path / "t")
    with pytest.raises(InputError, match="there are no conversations"):
        write_shards([], senses, tmp_path / "t")


def test_shards_of_another_model_are_refused(tmp_path, senses, codec):
    talk = chat([Part("dots", b"1 1 2 2")], "x")
    folder = write_shards([*numbered(2), talk], senses, tmp_path / "s")
    assert len(TokenShards(folder, senses)) == 3
    wider = dots.dots_codec(size=9)
    with pytest.raises(InputError, match=r"made with another codec 'dots' than this model's"):
        TokenShards(folder, dots.senses_for(wider))
    senses.tokenizer.chat_template = "{{ messages }}"
    with pytest.raises(InputError, match="made with another tokenizer or chat template than"):
        TokenShards(folder, senses)


def test_more_codecs_invalidate_no_shard(tmp_path, senses, codec):
    talks = [*numbered(2), chat([Part("dots", b"1 1 2 2")], "x")]
    folder = write_shards(talks, senses, tmp_path / "s")
    before = (folder / "shard-00000.arrow").stat().st_mtime_ns
    grown = senses.with_codecs([ToyCodec("more")])
    assert len(TokenShards(folder, grown)) == 3
    write_shards(talks, grown, folder)
    assert (folder / "shard-00000.arrow").stat().st_mtime_ns == before, "and none is written again"
    with pytest.raises(InputError, match="another codec 'dots'"):
        TokenShards(folder, dots.senses_for(ToyCodec("first"), dots.dots_codec()))


def killed_at(count: int, conversations: list[Conversation]):
    """The conversations, with a kill -9 of this process after so many of them."""
    yield from conversations[:count]
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_run_goes_on(tmp_path, senses, codec):
    child = os.fork()  # cheaper than a new interpreter; it only writes shards and dies
    if child == 0:
        write_shards(killed_at(17, numbered(20)), senses, tmp_path / "s", per_shard=4)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "s").glob("shard-*.arrow")}
    assert len(finished) == 4
    folder = write_shards(numbered(20), senses, tmp_path / "s", per_shard=4)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*.arrow")}
    assert finished.items() <= after.items()
    whole = write_shards(numbered(20), senses, tmp_path / "whole", per_shard=4)
    assert all((whole / name).read_bytes() == (folder / name).read_bytes() for name in [*after, "shards.json"])


@pytest.mark.slow
def test_processes_write_the_same_shards(tmp_path, senses, codec):
    media = [Part("dots", codes=np.full(4, n % 8), codec="dots") for n in range(12)]
    conversations = [chat([part, "?"], "x") for part in media]
    one = write_shards(conversations, senses, tmp_path / "one", per_shard=3)
    two = write_shards(conversations, senses, tmp_path / "two", per_shard=3, processes=2)
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in two.iterdir())
    assert all(path.read_bytes() == (two / path.name).read_bytes() for path in one.iterdir())
    lost = [*conversations[:4], chat([Part("dots", tmp_path / "gone.dots")], "y")]
    with pytest.raises(InputError, match=r"conversation 5: there is no file .*gone.dots"):
        write_shards(lost, senses, tmp_path / "three", per_shard=3, processes=2)
