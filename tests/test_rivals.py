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
from recipes.rivals.heard import Ear, HeardClips, heard
from recipes.rivals.late import Late
from recipes.rivals.lessons import Lessons, PictureLessons, WindowLessons
from recipes.rivals.rival import counts
from recipes.rivals.series import Samples, Scores, fitted, series_lessons, turns
from recipes.rivals.shared import Shared
from recipes.rivals.speech import SpectraOfClips, cut, frames, speech_lessons
from recipes.rivals.speech import turns as speech_turns
from recipes.rivals.training import Trained, facts, restored, taught
from recipes.sensors.series import Media
from recipes.sensors.sets import SETS, Example, LabelledSet
from recipes.speech.clips import Clip
from recipes.speech.sound import read_sound
from recipes.speech.tasks import ASK_NAMED, ASK_SAID, Spoken, transcribing
from recipes.speech.texts import Name
from test_pictograms_evaluate import make_table
from test_speech_ear import CONFIG
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from toys import fresh_base, tiny_tokenizer

from sensorium.data.views import Views
from sensorium.engines.output_head import OutputHead
from sensorium.engines.scoring import score_naively
from sensorium.evaluate import Results
from sensorium.families.kernels import KernelsCodec, groups
from sensorium.families.lexical import LexicalCodec
from sensorium.families.net_codec import settle
from sensorium.families.semantic import SemanticCodec, SemanticConfig
from sensorium.families.whisper import WhisperCodec
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
def lessons(gallery) -> Lessons:
    return Lessons(PictureLessons(gallery))


@pytest.fixture(scope="module")
def codec(lessons) -> SemanticCodec:
    """One that has learned nothing: what a random network makes of colours tells them apart."""
    shape = SemanticConfig(widths=(8, 8), blocks=(1, 1), channels=8, hidden=16)
    torch.manual_seed(0)
    net = shape.net()
    settle(net, lambda: net.values(lessons.sample(np.random.default_rng(0), 16)["image"]), times=4)
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
        values_BC = codec.net.values(batch["image"]).numpy()
    points_WC = [values_BC[batch["image answer"].numpy() == lessons.answers.index(name)].mean(0) for name in NAMES]
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


def test_a_second_call_goes_on_through_the_language_model_with_all_the_time_that_is_left(lessons, codec, tmp_path):
    first = taught(connector(lessons, codec), lessons, tmp_path, minutes=0.05)
    nearer = (tmp_path / "near" / "log.jsonl").read_text()
    second = taught(connector(lessons, codec), lessons, tmp_path, minutes=0.1)
    assert second.steps > first.steps and second.minutes == pytest.approx(0.1, abs=0.03)
    assert (tmp_path / "near" / "log.jsonl").read_text() == nearer


@pytest.mark.parametrize("make", [late, shared, connector, codes])
def test_each_way_learns_names_of_pictures_and_is_found_again(make, gallery, lessons, codec, tmp_path):
    rival = make(lessons, codec)
    steps = 400 if make is codes else 100  # of changed pictures, that network tells the words of half
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
    lm = rival.language_model
    with torch.inference_mode(), rival._showing(asking(picture)) as (prompt, _):
        assert sorted(one for one in prompt if one < 0) == list(range(-rival.tokens["image"], 0))
        slow = score_naively(lm, OutputHead(lm), prompt, [rival._spelled(name) for name in NAMES])
    assert {one.index: one.score for one in ranked} == pytest.approx(dict(enumerate(slow)), abs=1e-3)


def test_the_connector_leaves_text_to_the_language_model(lessons, codec):
    rival, lm, asked = moved(connector(lessons, codec)), speaking_base().lm, asking()
    ids = torch.tensor([rival._read(asked, reply=True)[0]])
    plain = lm.generate(ids, do_sample=False, max_new_tokens=8, attention_mask=torch.ones_like(ids))[0, ids.shape[1] :]
    assert list(rival.chat(asked, max_tokens=8).ids) == plain.tolist()
    assert not rival.language_model.base_model._forward_pre_hooks


SHAPES = LabelledSet(name="slopes", question=ASKED[0], classes=("a red dot", "a blue dot"))


def slope(number: int) -> Example:
    rng = np.random.default_rng(number)
    values = np.linspace(-1, 1, 100)[:, None] * (-1) ** number + 0.1 * rng.normal(size=(100, 3))
    return Example(SHAPES, "train", number, values.astype(np.float32), SHAPES.classes[number % 2])


def series_of(make: Any) -> WindowLessons:
    examples = [slope(number) for number in range(8)]
    if make is shared:
        return series_lessons(Samples(examples))
    features = [groups(one.values) for one in examples]
    reader = KernelsCodec.fit(features, [0, 1, 2, 3] * 2)  # four kinds are the fewest
    values_VND = reader.values([Signal(one.values) for one in examples])[None]
    views = Views(codec="series-read", values_VND=values_VND, quantise=reader.quantise, noise=(0.0, 0.1))
    return series_lessons(Scores(Media(examples=examples, views=views, made=[], made_codes=np.empty(0), reader=reader)))


class ToyEar:
    """Hears every fourth frame of spectra."""

    frozen, channels = torch.nn.Identity(), 80

    def __call__(self, sound: Signal) -> np.ndarray:
        return frames(sound)[::4].half().numpy()


SAID = {"a red dot": 300, "a blue dot": 2000}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> tuple[Spoken, Any]:
    """Clips of a pitch each, of another length each, and where they lie."""
    place = tmp_path_factory.mktemp("spoken")
    facts: Any = {"part": "train", "split": "train", "lang": "en", "voice": "kumo", "phonemes": ""}
    for number, (name, pitch_hz) in enumerate(SAID.items()):
        sine = np.sin(2 * np.pi * pitch_hz * np.arange(8000 + 2000 * number) / 16000).astype(np.float32)
        sine[:3000] = 0
        soundfile.write(place / f"{name}.wav", sine, 16000)
    return Spoken([Clip(path=f"{name}.wav", text=name, **facts) for name in SAID], []), place


@pytest.mark.parametrize("make", [late, shared, connector])
def test_series_and_speech_are_learned_beside_pictures(make, codec, gallery, spoken, tmp_path):
    said, place = spoken
    ear: Any = ToyEar()
    sounds = [[ear(read_sound(place / clip.path))] for clip in said.clips]
    reading = SpectraOfClips(said.clips, place) if make is shared else HeardClips(sounds, ear)
    others = {"series": series_of(make), "audio": speech_lessons(reading, said)}
    rival = make(Lessons(PictureLessons(gallery), others), codec)
    with pytest.raises(InputError, match="not smell"):
        rival.rank(asking(Part("smell", np.zeros(3))), NAMES)
    quick(rival, Lessons(PictureLessons(gallery), others), tmp_path / "run", steps=50)
    right = 0
    for one in map(slope, range(8, 16)):
        best = rival.rank(asking(Part("series", Signal(one.values))), SHAPES.classes, 1)
        right += SHAPES.classes[best[0].index] == one.answer
    assert right == 8
    for name in SAID:
        talk = transcribing(Part("audio", str(place / f"{name}.wav")), name)
        best = rival.rank(Conversation(talk.messages[:1]), list(SAID), 1)
        assert list(SAID)[best[0].index] == name
    places = {late: (0, 0, 0), shared: (16, 32, 32), connector: (10, 10, 45)}[make]
    assert rival.tokens == dict(zip(("image", "series", "audio"), places, strict=True))


def test_clips_are_heard_once_and_cut_to_windows(spoken, tmp_path, monkeypatch):
    said, place = spoken
    monkeypatch.setattr("recipes.speech.coded.folder", lambda: place)
    torch.manual_seed(0)
    ear = Ear(WhisperCodec(CONFIG))
    found = heard(said.clips, ear, tmp_path / "heard.npz")
    assert [[len(view) for view in views] for views in found] == [[13, 13], [16, 16]]  # 25 a second, of whole codes
    monkeypatch.setattr(Ear, "__call__", None)
    again = heard(said.clips, ear, tmp_path / "heard.npz")
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError):
        heard(said.clips[:1], ear, tmp_path / "heard.npz")
    windows = HeardClips(found, ear).view(1, np.random.default_rng(0))
    assert windows.shape == (43, 3 * 16)
    assert counts(windows[None]).tolist() == [6]


def test_a_connector_places_as_many_vectors_as_a_clip_has_windows(codec, gallery, spoken):
    said, place = spoken
    ear: Any = ToyEar()
    reading = HeardClips([[ear(read_sound(place / clip.path))] for clip in said.clips], ear)
    rival = moved(connector(Lessons(PictureLessons(gallery), {"audio": speech_lessons(reading, said)}), codec))
    for name, windows in zip(SAID, (5, 6), strict=True):
        with rival._showing(asking(Part("audio", str(place / f"{name}.wav")))) as (prompt, seen_1VH):
            assert sorted(one for one in prompt if one < 0) == list(range(-windows - 2, 0))
            assert seen_1VH.shape[1] == windows + 2
            torch.testing.assert_close(seen_1VH[0, 0], rival.projectors["audio"].around_2H[0])


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


def test_series_are_asked_about_in_the_words_of_their_set():
    asked = turns(Example(SETS[0], "train", 0, np.zeros((9, 1)), SETS[0].classes[0]))
    assert asked[0] == (SETS[0].question, SETS[0].classes[0])
    assert any(all(name in question for name in SETS[0].classes) for question, _ in asked)


def test_clips_are_asked_about_what_they_say_and_name():
    clip = Clip(path="1", part="start", split="train", text="cat", lang="en", voice="kumo", phonemes="")
    names = [Name(names={"en": "cat", "es": "gato"}, split="train")]
    found = speech_turns(clip, Spoken([clip], names))
    assert found[0] == (ASK_SAID[0], "cat")
    assert set(found[1:]) == {*((ask, "cat") for ask in ASK_SAID[1:]), *((ask, "a cat") for ask in ASK_NAMED)}


def test_media_of_all_modalities_share_questions_and_answers(gallery, spoken):
    said, place = spoken
    speech, series = speech_lessons(SpectraOfClips(said.clips, place), said), series_of(shared)
    both = Lessons(PictureLessons(gallery), {"series": series, "audio": speech})
    assert both.answers.count("a red dot") == both.questions.count(ASKED[0]) == 1
    batch = both.sample(np.random.default_rng(0), 200)
    for name, questions, answers in (
        ("image", ASKED, set(NAMES)),
        ("series", series.questions, set(SHAPES.classes)),
        ("audio", speech.questions, set(SAID)),
    ):
        asked = {both.questions[number] for number in batch[f"{name} question"].tolist()}
        told = {both.answers[number] for number in batch[f"{name} answer"].tolist()}
        assert set(questions) & asked
        assert told >= answers if name == "image" else told == answers
    usual = (batch["audio question"] == both.questions.index(ASK_SAID[0])).float().mean()
    assert 0.7 < usual < 0.95


def test_lessons_ask_for_names_and_now_and_then_for_categories(lessons):
    batch = lessons.sample(np.random.default_rng(0), 300)
    numbers = zip(batch["image question"].tolist(), batch["image answer"].tolist(), strict=True)
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
