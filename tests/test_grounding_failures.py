"""Failures of encoders: what differs, what is confused, and how often new pairs are; worked by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from toys import ToyCodec
from typer.testing import CliRunner

from sensorium.cli import app
from sensorium.data.facts import Event, Facts, Medium, Relation, Thing, write_facts
from sensorium.grounding.changing import Changing, changed_caption
from sensorium.grounding.differences import described, difference, of_captions
from sensorium.grounding.encoders import ABSENT, Encoder, OfCodec, OfModel, OfTexts
from sensorium.grounding.failure_report import as_json, save
from sensorium.grounding.failures import Failures
from sensorium.grounding.material import Pair, Sample, captioned, read_material
from sensorium.grounding.modes import Categoriser
from sensorium.grounding.scraping import Encoded, _numbered
from sensorium.grounding.specs import spec_of
from sensorium.types import InputError

pytest.importorskip("scipy")


def star(colour: str = "red", name: str = "star", **more: str) -> Thing:
    return Thing(name=name, attributes={"colour": (colour,), **{aspect: (value,) for aspect, value in more.items()}})


def facts(*things: Thing, complete: Sequence[str] = ("things", "relations", "events"), **more) -> Facts:
    return Facts(medium=Medium(modality="toy", path="m.toy"), things=things, complete=tuple(complete), **more)


def aspects(one: Facts, other: Facts) -> tuple[str, ...]:
    assert difference(one, other).aspects == difference(other, one).aspects
    return difference(one, other).aspects


# --- what differs


def test_what_differs_between_facts():
    two = facts(star(), star("blue", "ring"), setting={"background": ("plain",)})
    assert aspects(two, two) == ()
    assert aspects(two, replace(two, things=(star("green"), star("blue", "ring")))) == ("colour",)
    assert aspects(two, replace(two, things=(star("blue"), star("red", "ring")))) == ("binding",)
    assert aspects(two, replace(two, things=(star(), star("blue", "drop")))) == ("object",)
    assert aspects(two, replace(two, things=(star(),))) == ("existence",)
    assert aspects(two, replace(two, things=(star(), star(), star("blue", "ring")))) == ("number",)
    assert aspects(two, replace(two, setting={"background": ("noise",)})) == ("background",)
    assert aspects(two, replace(two, things=(star("green"), star("blue", "drop")))) == ("colour", "object")
    assert aspects(two, replace(two, things=(star("green"),))) == ("colour", "existence")
    both = replace(two, things=(star("green"), star("blue", "ring")), setting={"background": ("noise",)})
    assert aspects(two, both) == ("background", "colour")
    left, right = (
        replace(two, relations=(Relation(subject=0, predicate=one, objects=(1,)),)) for one in ("left of", "right of")
    )
    assert aspects(left, right) == ("relation",)
    moved = replace(two, events=(Event(subject=0, what="moves", direction="left", start_s=0, end_s=1),))
    assert aspects(two, moved) == ("action",)
    assert difference(two, moved).words == "action: nothing / star moves left"


def test_looks_exchanged_between_things_of_one_name():
    one = facts(star("red", size="small"), star("blue", size="large"))
    other = facts(star("blue", size="small"), star("red", size="large"))
    assert aspects(one, other) == ("binding",)


def test_silence_denies_nothing():
    known, open_ = facts(star(), star("blue", "ring")), facts(star(), complete=())
    assert aspects(known, open_) == (), "what the second does not name may be there"
    assert aspects(known, replace(open_, absent=("ring",))) == ("existence",)
    assert aspects(known, replace(open_, things=(Thing(name="star"), star("blue", "ring")))) == ()
    assert aspects(facts(Thing(name="people", count=None)), facts(Thing(name="people", count=3))) == ()
    assert aspects(facts(Thing(name="dog")), facts(Thing(name="puppy", synonyms=("dog",)))) == ()


@pytest.mark.parametrize(
    ("one", "other", "aspect"),
    [
        ("a red car", "the red car", None),
        ("a red car", "a blue car", "colour"),
        ("two dogs", "three dogs", "number"),
        ("one dog", "two dogs", "number"),
        ("a dog on a table", "no dog on a table", "negation"),
        ("the dog isn't there", "the dog is there", "negation"),
        ("a cup on the left", "a cup on the right", "direction"),
        ("a cat under a table", "a cat on a table", "relation"),
        ("no red car", "a blue car", "colour negation"),
        ("woman running", "man running", "gender"),
        ("a small cat", "a large cat", "size"),
        ("a red car", "a red boat", "object"),
        ("a dog bites a man", "a man bites a dog", "order"),
        ("a red car", "two green boats", "words"),
    ],
)
def test_in_what_captions_differ(one, other, aspect):
    assert sorted(of_captions(one, other)) == sorted(of_captions(other, one)) == (aspect or "").split()


def test_facts_in_words():
    known = facts(star(size="small"), star(size="small"), star("blue", "ring"), setting={"background": ("plain",)},
                  relations=(Relation(subject=0, predicate="left of", objects=(2,)),
                             Relation(subject=2, predicate="right of", objects=(0,))))  # fmt: skip
    said = "two small red stars and a blue ring; the star is left of the ring; background plain"
    assert described(known) == said
    assert described(captioned("two dogs").facts) == "two dogs"


# --- templates


def test_templates_change_one_aspect_alone():
    known = [
        facts(star(), star("blue", "ring"), setting={"background": ("plain",)},
              relations=(Relation(subject=0, predicate="left of", objects=(1,)),)),
        facts(star("green", "drop"), setting={"background": ("noise",)}),
    ]  # fmt: skip
    changing = Changing(known)
    for aspect in ("colour", "object", "number", "existence", "relation", "binding", "background"):
        changed = changing.changed(known[0], aspect, Random(0))
        assert changed is not None and difference(known[0], changed).aspects == (aspect,), aspect
    assert changing.changed(known[1], "relation", Random(0)) is None
    assert changing.changed(known[1], "action", Random(0)) is None


def test_captions_by_template():
    random = Random(0)
    assert changed_caption("a dog on the table", "negation", random) == "no dog on the table"
    assert changed_caption("dogs", "negation", random) == "no dogs"
    assert changed_caption("no dogs", "negation", random) is None
    assert changed_caption("a cup left of a plate", "relation", random) == "a cup right of a plate"
    assert changed_caption("a dog", "colour", random) is None
    words = changed_caption("a red dog", "colour", random)
    assert words is not None and words.startswith("a ") and words.endswith(" dog") and words != "a red dog"


# --- scraping


class Blind(Encoder):
    """Tells things by all but their colours: a row has a number for each name, and one for how many there are."""

    name, unit, near, reads = "blind", "numbers that differ", 0.0, "media"

    def rows(self, samples):
        return np.array(
            [[len(one.facts.things), *(sum(map(ord, t.name)) for t in one.facts.things[:1])] for one in samples]
        )

    def distances(self, one_D, others_ND):
        return (one_D != others_ND).sum(1).astype(float)


COLOURS = ("red", "green", "blue", "yellow")


def media(folder: Path, name: str, kinds: Sequence[str] = ("star", "ring", "drop")) -> Path:
    """Facts of each kind in each colour, once and twice."""
    found = []
    for kind in kinds:
        for colour in COLOURS:
            for count in (1, 2):
                path = f"{name}-{kind}-{colour}-{count}.toy"
                (folder / path).write_text("1")
                things = tuple(Thing(name=kind, attributes={"colour": (colour,)}) for _ in range(count))
                complete = ("things", "colour")
                found.append(Facts(medium=Medium(modality="toy", path=path), things=things, complete=complete))
    write_facts(found, folder / f"{name}.jsonl")
    return folder / f"{name}.jsonl"


def test_a_blind_spot_is_found_and_verified(tmp_path):
    search = Failures(encoder=Blind(), material=[media(tmp_path, "train")], held_out=[media(tmp_path, "test")])
    found = search.found(lambda line: None)
    # 3 kinds, once or twice: 6 sets of 4 colours, of which 6 pairs each
    assert (found.collisions, found.confused, len(found.scraped)) == (36, 36, 36)
    ((mode, (new,)),) = found.modes
    assert (mode.name, mode.share, len(mode.pairs)) == ("colour", 1.0, 36)
    assert (new.origin, new.confused.hits, new.confused.count, new.same.hits) == ("held out", 36, 36, 36)
    # of all 276 pairs that differ 36 are confused
    assert (found.control.confused.hits, found.control.confused.count) == (36, 276)
    assert new.over.value == pytest.approx(1 - 36 / 276) and new.over.low > 0
    assert mode.usual == pytest.approx(216 / 276), "all but 4 colours by the 15 pairs of one colour"
    assert found.nothing is None


def test_an_encoder_that_sees_everything_is_told_so(tmp_path):
    class Sharp(Blind):
        def rows(self, samples):
            return np.array([[sum(map(ord, one.words)), len(one.words), n % 7] for n, one in enumerate(samples)])

    search = Failures(encoder=Sharp(), material=[media(tmp_path, "train")], held_out=[media(tmp_path, "test")])
    found = search.found(lambda line: None)
    assert found.confused == 0 and found.scraped, "modes are sought in the closest pairs"
    assert all(one.confused.hits == 0 and one.over.low <= 0 for _, new in found.modes for one in new)
    text = save(found, tmp_path / "out", "command").read_text()
    assert "0 within 0 (numbers that differ). So the modes are sought in the" in text
    assert "not shown to be more than of random ones" in text


def test_steering_leaves_pairs_about_the_words_alone(tmp_path):
    files = [media(tmp_path, "train")]
    found = Failures(encoder=Blind(), material=files, held_out=files, about=["ring"]).found(lambda line: None)
    assert found.confused == 12, "of three kinds one"
    assert all("ring" in pair.difference.words for pair in found.scraped)
    assert all("ring" in pair.difference.words for _, (new,) in found.modes for pair in new.pairs)
    with pytest.raises(InputError, match="in something about rin"):
        Failures(encoder=Blind(), material=files, held_out=files, about=["rin"]).found(lambda line: None)


def test_the_closest_pairs_are_kept(tmp_path):
    samples = read_material([media(tmp_path, "train")])
    held = Encoded.of(Blind(), samples)
    assert [pair.distance for pair in held.scraped(near=0.0, most=40)] == [0] * 36
    assert len(held.scraped(near=0.0, most=5)) == 5
    assert {pair.distance for pair in held.scraped(near=1.0, most=10_000)} == {0, 1}
    every = held.minimal()
    # 3 kinds by 2 numbers by 6 pairs of colours; 3 pairs of kinds by 2 numbers by 4 colours; 3 kinds by 4 colours; 6
    # pairs of kinds and numbers by 4 colours
    assert {aspect: len(pairs) for aspect, pairs in every.items()} == {
        "colour": 36, "object": 24, "number": 12, "existence": 24,
    }  # fmt: skip


def test_random_pairs_are_any_each_once():
    assert [_numbered(n, 4) for n in range(6)] == list(combinations(range(4), 2))
    assert [_numbered(n, 301) for n in range(301 * 150)] == list(combinations(range(301), 2))


# --- codecs, models, texts


def test_codes_are_compared_place_by_place():
    one = OfCodec(ToyCodec())
    rows = np.array([[1, 2, 3, 4], [1, 2, 3, 0], [1, 2, ABSENT, ABSENT], [5, 6, 7, 0]])
    assert one.distances(rows[0], rows) == pytest.approx([0, 0.25, 0.5, 1])
    assert one.distances(rows[2], rows) == pytest.approx([0.5, 0.5, 0, 1])
    assert one.near == 1 / 8, "one of eight codes"


class Guesser:
    """A model that always holds the description likelier that comes first in the alphabet."""

    def __init__(self):
        self.senses = self
        self.toy = ToyCodec()

    def layout_for(self, kind, role):
        return self.toy.layout

    def codec(self, name):
        return self.toy

    def rank(self, conversation, answers, k, adapter):
        assert conversation.messages[-1].parts[0].data is not None and len(answers) == 2
        return [SimpleNamespace(index=0)]


def test_a_model_is_asked_which_of_two_descriptions_is_right():
    two = [Sample(facts(star(colour)), Path(f"{colour}.toy")) for colour in ("red", "blue")]
    pair = Pair(*two, 0.0, difference(two[0].facts, two[1].facts))
    guesser = OfModel(Guesser(), "guesser", "toy")
    assert guesser.confused([pair], 0.0) == [True], "right of one, wrong of the other"
    guesser.assistant.rank = lambda talk, answers, *_, **__: [
        SimpleNamespace(index=next(n for n, one in enumerate(answers) if talk.messages[0].parts[0].data.stem in one))
    ]
    assert guesser.confused([pair], 1.0) == [False], "however near the codes are"


def test_the_commands_report(tmp_path):
    """On a codec in the box, with pictures that differ in one corner, or in nothing that the codec sees."""
    image = pytest.importorskip("PIL.Image")
    found = []
    for n in range(8):
        picture = image.new("RGB", (64, 64), "white")
        picture.paste(COLOURS[n % 4], (8, 8, 40, 40))
        picture.save(tmp_path / f"{n}.png")
        known = Medium(modality="image", path=f"{n}.png")
        # the second half has the pictures of the first, and is said to be something else
        thing = Thing(name="square" if n < 4 else "block", attributes={"colour": (COLOURS[n % 4],)})
        found.append(Facts(medium=known, things=(thing,), complete=("things", "colour")))
    write_facts(found, tmp_path / "facts.jsonl")
    facts_file, out = str(tmp_path / "facts.jsonl"), tmp_path / "out"
    said = CliRunner().invoke(
        app, ["eval", "failures", "image", facts_file, "--held-out", facts_file, "--out", str(out)]
    )
    assert said.exit_code == 0, said.output
    report = json.loads((out / "report.json").read_text())
    assert report["scraped"]["same"] == 4 and report["encoder"] == "image"
    modes = {mode["name"]: mode for mode in report["modes"]}
    (new,) = modes["object"]["new"]
    assert (new["same"]["hits"], new["same"]["count"]) == (4, 4), "of one colour and two names"
    assert "object: one block / one square (distance 0.000) `0.png` `4.png`" in (out / "report.md").read_text().replace(
        "one square / one block", "one block / one square"
    )


def test_texts_cannot_be_given_to_a_codec(tmp_path):
    (tmp_path / "texts.jsonl").write_text('{"caption": "a dog"}\n{"caption": "a cat"}\n')
    search = Failures(encoder=Blind(), material=[tmp_path / "texts.jsonl"], held_out=[tmp_path / "texts.jsonl"])
    with pytest.raises(InputError, match="blind encodes media, and there are texts alone"):
        search.found()
    with pytest.raises(InputError, match="no folder and no file"):
        read_material([tmp_path / "nothing.jsonl"])
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError):
        read_material([tmp_path / "empty.jsonl"])


class Words(Encoder):
    """A bag of words that knows no "no"."""

    name, unit, near, reads = "bag", "words that differ", 0.0, "texts"
    known = ("red", "blue", "green", "dog", "cat", "car", "left", "right")

    def rows(self, samples):
        return np.array([[word in one.words for word in self.known] for one in samples], float)

    def distances(self, one_D, others_ND):
        return np.abs(one_D - others_ND).sum(1)


TEXTS = ["a red dog", "no red dog", "a blue cat", "a green car", "no green car", "a dog on the left", "a cat", "no cat"]


@pytest.fixture
def texts(tmp_path) -> Path:
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": one}) + "\n" for one in TEXTS))
    return tmp_path / "texts.jsonl"


def test_texts_are_changed_by_templates(texts):
    found = Failures(encoder=Words(), material=[texts], held_out=[texts]).found(lambda line: None)
    assert found.collisions == 3
    ((mode, new),) = found.modes
    assert mode.name == "negation" and [one.origin for one in new] == ["held out", "templates"]
    assert all(one.confused.hits == one.confused.count for one in new)
    assert new[1].confused.count == 5, "those that deny nothing yet"


@pytest.fixture
def namer() -> Iterator[str]:
    """An endpoint that names one mode, and writes two pairs."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._say({"data": [{"id": "namer"}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][0]["content"]
            asked.append(prompt)
            named = [{"name": "denial", "about": "What is denied is taken for said.", "aspects": ["negation", "magic"]}]
            pairs = [["a dog", "no dog"], ["a red car", "a blue car"], ["same", "same"]]
            said = named if "in brackets" in prompt else pairs
            self._say({
                "id": "1", "object": "chat.completion", "created": 0, "model": "namer",
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": f"Here:\n```json\n{json.dumps(said)}\n```"}}],
            })  # fmt: skip

        def _say(self, what):
            data = json.dumps(what).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked  # ty: ignore
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_a_language_model_names_modes_and_writes_pairs(texts, namer):
    pytest.importorskip("openai")
    categoriser = Categoriser.at(spec_of(f"{namer}#namer"))
    found = Failures(encoder=Words(), material=[texts], held_out=[texts], categoriser=categoriser).found(
        lambda line: None
    )
    ((mode, new),) = found.modes
    assert (mode.name, mode.aspects) == ("denial", ("negation",)), "aspects that nobody knows are left out"
    written = {one.origin: one for one in new}["namer"]
    assert (written.confused.hits, written.confused.count) == (1, 2), "the one that denies; two alike are no pair"
    assert as_json(found, "")["modes"][0]["new"][-1]["origin"] == "namer"
    with pytest.raises(InputError, match="an endpoint"):
        Categoriser.at(spec_of("script:oracle"))


def test_encoders_of_texts(tmp_path):
    """A tiny random model of transformers: the same text is at no distance, another at some."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "a", "red", "blue", "dog"])}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        tmp_path
    )
    config = transformers.BertConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    encoder = OfTexts(str(tmp_path))
    rows = encoder.rows([captioned(one) for one in ("a red dog", "a red dog", "a blue dog", "dog")])
    distances = encoder.distances(rows[0], rows)
    assert distances[:2] == pytest.approx([0, 0], abs=1e-6) and min(distances[2:]) > 1e-4
    alone = encoder.rows([captioned("dog")])
    assert rows[3] == pytest.approx(alone[0], abs=1e-5), "padding changes nothing"
    with pytest.raises(InputError, match="neither a codec nor an encoder of texts"):
        OfTexts(str(tmp_path / "nothing"))
