"""Three other ways to a multimodal model: each learns made-up pictures in seconds, and all are asked the same."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from recipes.pictograms.concepts import Gallery
from recipes.rivals import training
from recipes.rivals.codes import Codes
from recipes.rivals.connector import Connector
from recipes.rivals.evaluate import measure, table
from recipes.rivals.late import Late
from recipes.rivals.lessons import PictureLessons, Together
from recipes.rivals.series import SeriesBeside, fitted, told
from recipes.rivals.shared import Shared
from recipes.rivals.speech import SpeechBeside, cut, frames
from recipes.rivals.training import Trained, facts, restored, taught
from recipes.sensors.sets import SETS, Example
from recipes.sensors.tasks import naming
from recipes.speech.clips import Clip
from recipes.speech.tasks import transcribing
from test_pictograms_evaluate import make_table
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from toys import fresh_base, tiny_tokenizer

from sensorium.engines.output_head import OutputHead
from sensorium.engines.scoring import score_naively
from sensorium.evaluate import Results
from sensorium.families.lexical import LexicalCodec
from sensorium.families.net_codec import settle
from sensorium.families.semantic import SemanticCodec, SemanticConfig
from sensorium.model import Base
from sensorium.senses import Senses
from sensorium.types import Conversation, InputError, Part, Signal, as_message

NAMES = ["a red dot", "a green dot", "a blue dot", "a black dot"]
ASKED = ("What is this?", "Name this picture.")
FIRST = "name, held-out family, top-1"


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery(*make_table())


@pytest.fixture(scope="module")
def lessons(gallery) -> PictureLessons:
    return PictureLessons(gallery)


@pytest.fixture(scope="module")
def codec(lessons) -> SemanticCodec:
    """One that has learned nothing: what a random network makes of colours tells them apart."""
    shape = SemanticConfig(widths=(8, 8), blocks=(1, 1), channels=8, hidden=16)
    torch.manual_seed(0)
    net = shape.net()
    settle(net, lambda: net.values(lessons.sample(np.random.default_rng(0), 16)["x"]), times=4)
    return SemanticCodec(shape, net)


@cache
def speaking_base() -> Base:
    """The toy language model once it can say again what it is told: "a red dot What is this?" -> "a red dot"."""
    base = fresh_base()
    stream = Senses.of(base.tokenizer, 300, []).stream
    talks = [(as_message("user", f"{name} {ask}"), as_message("assistant", name)) for name in NAMES for ask in ASKED]
    rows = [stream.render(Conversation(talk)) for talk in talks]
    ids = pad_sequence([torch.tensor(row.ids, dtype=torch.long) for row in rows], batch_first=True)
    learn = pad_sequence([torch.tensor(row.mask) for row in rows], batch_first=True)[:, 1:]
    optimiser = torch.optim.AdamW(base.lm.parameters(), 3e-3)
    for _ in range(120):
        loss = cross_entropy(base.lm(input_ids=ids).logits[:, :-1][learn], ids[:, 1:][learn])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.3
    return base


def connector(lessons, codec, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return Connector(lessons, codec, deepcopy(speaking_base()), hidden=64, lora_rank=2)


def codes(lessons, codec, seed: int = 0) -> Any:
    """What the random network makes of a colour, on average, is the point of its name."""
    batch = lessons.sample(np.random.default_rng(2), 400)
    with torch.no_grad():
        values_BC = codec.net.values(batch["x"]).numpy()
    points_WC = [values_BC[batch["answer"].numpy() == lessons.answers.index(name)].mean(0) for name in NAMES]
    torch.manual_seed(seed)
    words = LexicalCodec(codec, NAMES, np.stack(points_WC), codes=2)
    return Codes(lessons, words, deepcopy(speaking_base()), lora_rank=2)


def late(lessons, codec, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return Late(lessons, codec, tiny_tokenizer(), width=16)


def shared(lessons, codec, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return Shared(lessons, tiny_tokenizer(), width=32, layers=2, heads=2)


def asking(*parts: Any) -> Conversation:
    return Conversation((as_message("user", [*parts, "What is this?"]),))


def quick(rival: Any, lessons: Any, place: Any, steps: int = 100) -> Trained:
    rival.lr, rival.batch = 2e-3 if isinstance(rival, Shared) else 5e-3, 16
    return taught(rival, lessons, place, minutes=1, steps=steps)


@pytest.mark.parametrize("make", [late, shared, connector, codes])
def test_each_way_learns_names_of_pictures_and_is_found_again(make, gallery, lessons, codec, tmp_path):
    rival = make(lessons, codec)
    steps = 250 if make is codes else 100  # of changed pictures, that network tells the words of half
    known = quick(rival, lessons, tmp_path / "run", steps)
    results = Results(say=lambda line: None)
    shown = gallery.held_out(4)
    measure(results, {"it": rival}, gallery, shown)
    assert results.value(FIRST, "it").hits == 4
    assert results.value(FIRST, "it, no medium").hits == 1
    assert results.value(FIRST, "it, another's medium").hits == 0
    assert results.notes["nearest neighbour on pixels against it"].keys() >= {"only_one", "only_other", "p_value"}

    assert known == facts(tmp_path / "run")
    assert known.steps == steps
    assert known.trained == sum(one.numel() for one in rival.parameters())
    assert 0 < known.peak_gb < 64
    assert known.text == ("identical" if make in (connector, codes) else "none")
    if make in (connector, codes):
        written, freely = "name, held-out family, written freely", Results(say=lambda line: None)
        assert results.value(written, "it").hits == 4
        measure(freely, {"it": rival}, gallery, shown, ranked=False)
        assert [freely.value(written, condition).hits for condition in ("it", "it, another's medium")] == [4, 0]
    row = table({"it": known}).splitlines()[-1]
    assert f"| {known.trained:,} |" in row

    again = restored(make(lessons, codec, seed=1), lessons, tmp_path / "run")
    for picture in gallery.shown(shown):
        one, other = (model.rank(asking(Part("image", picture)), NAMES, 4) for model in (rival, again))
        assert [scored.index for scored in one] == [scored.index for scored in other]
        assert [scored.score for scored in one] == pytest.approx([scored.score for scored in other], abs=1e-4)


def moved(rival: Any) -> Any:
    """A connector whose adapter is not what it starts as, which would change nothing."""
    with torch.no_grad():
        for one in rival.adapter:
            one.add_(torch.randn(one.shape, generator=torch.Generator().manual_seed(0)))
    return rival.eval()


def test_the_connector_ranks_as_reading_prompt_and_answer_together_does(lessons, codec):
    rival = moved(connector(lessons, codec))
    picture = Part("image", np.full((64, 64, 3), 90, np.uint8))
    ranked = rival.rank(asking(picture), NAMES, 4)
    prompt = rival._read(asking(Part("image")), reply=True)[0]
    assert sorted(one for one in prompt if one < 0) == list(range(-rival.tokens["image"], 0))
    lm = rival.language_model
    with torch.inference_mode(), rival._showing(picture):
        slow = score_naively(lm, OutputHead(lm), prompt, [rival._spelled(name) for name in NAMES])
    assert {one.index: one.score for one in ranked} == pytest.approx(dict(enumerate(slow)), abs=1e-3)


def test_the_connector_leaves_text_to_the_language_model(lessons, codec):
    rival, lm, asked = moved(connector(lessons, codec)), speaking_base().lm, asking()
    ids = torch.tensor([rival._read(asked, reply=True)[0]])
    plain = lm.generate(ids, do_sample=False, max_new_tokens=8, attention_mask=torch.ones_like(ids))[0, ids.shape[1] :]
    assert list(rival.chat(asked, max_tokens=8).ids) == plain.tolist()
    assert not rival.language_model.base_model._forward_pre_hooks


def test_a_shared_encoder_learns_series_beside_pictures(lessons, codec, tmp_path):
    source = SETS[0]
    rng = np.random.default_rng(0)

    def example(number: int) -> Example:
        slope = np.linspace(-1, 1, 100)[:, None] * (-1) ** number
        values = (slope + 0.1 * rng.normal(size=(100, 6))).astype(np.float32)
        return Example(source, "train", number, values, source.classes[number % 2])

    both = Together(lessons, {"series": SeriesBeside([example(number) for number in range(8)])})
    rival = shared(both, codec)
    quick(rival, both, tmp_path)
    right = 0
    for one in (example(number) for number in range(8)):
        talk = naming(source.question, Part("series", Signal(one.values, source.rate_hz)), one.answer)
        best = rival.rank(Conversation(talk.messages[:1]), list(source.classes[:2]), 1)
        right += source.classes[best[0].index] == one.answer
    assert right == 8
    assert rival.tokens == {"image": 16, "series": 32}


def test_a_shared_encoder_learns_speech_beside_pictures(lessons, codec, tmp_path):
    said = {"low": 300, "high": 2000}
    for name, pitch_hz in said.items():
        sine = np.sin(2 * np.pi * pitch_hz * np.arange(8000) / 16000).astype(np.float32)
        sine[:3000] = 0
        soundfile.write(tmp_path / f"{name}.wav", sine, 16000)
    facts = {"part": "train", "split": "train", "lang": "en", "voice": "kumo", "phonemes": ""}
    clips = [Clip(path=f"{name}.wav", text=name, **facts) for name in said]
    both = Together(lessons, {"audio": SpeechBeside(clips, tmp_path)})
    rival = shared(both, codec)
    quick(rival, both, tmp_path / "run")
    for name in said:
        talk = transcribing(Part("audio", str(tmp_path / f"{name}.wav")), name)
        best = rival.rank(Conversation(talk.messages[:1]), list(said), 1)
        assert list(said)[best[0].index] == name
    assert rival.tokens == {"image": 16, "audio": 32}


def test_windows_of_speech_are_as_many_whatever_its_length():
    for seconds in (0.02, 1, 9):
        windows = cut(frames(Signal(np.random.default_rng(0).normal(size=(int(seconds * 16000), 1)), 16000.0)))
        assert windows.shape == (32, 1280)
        assert windows.isfinite().all()


def test_series_are_fitted_whatever_their_length_and_channels():
    for shape in ((7, 1), (2000, 20)):
        found = fitted(np.random.default_rng(0).normal(5, 3, shape).astype(np.float32))
        assert found.shape == (512, 12)
        np.testing.assert_allclose(found[:, 0].mean(), 0, atol=1e-4)
        np.testing.assert_allclose(found[:, 0].std(), 1, atol=1e-4)
    assert not fitted(np.ones((7, 1), np.float32)).any()
    assert told(Example(SETS[0], "train", 0, found, "walking")) == f"{SETS[0].question} walking"


def test_lessons_ask_for_names_and_now_and_then_for_categories(lessons):
    batch = lessons.sample(np.random.default_rng(0), 300)
    numbers = zip(batch["question"].tolist(), batch["answer"].tolist(), strict=True)
    pairs = [(lessons.questions[question], lessons.answers[answer]) for question, answer in numbers]
    of_kind = [answer for question, answer in pairs if question in lessons.questions[-2:]]
    assert 10 < len(of_kind) < 60
    assert all(answer.endswith("things") for answer in of_kind)
    assert {answer for question, answer in pairs if question not in lessons.questions[-2:]} == set(NAMES)


def test_what_cannot_be_done_is_said(lessons, gallery, codec, tmp_path):
    with pytest.raises(InputError, match="rivals train late"):
        facts(tmp_path / "late")
    with pytest.raises(InputError, match="starts from no model"):
        training.train("late", 1, "smol")
    with pytest.raises(InputError, match="one medium at a time"):
        late(lessons, codec).rank(asking(Part("image", gallery.pixels[0]), Part("image", gallery.pixels[1])), NAMES)
    with pytest.raises(InputError, match="likeliest"):
        connector(lessons, codec).chat(asking(), want="image")
