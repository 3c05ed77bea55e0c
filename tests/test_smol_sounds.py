"""Sounds that are no speech in smol: how they are told, and that nothing but their rows is learned."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from recipes.smol import model, sounds
from recipes.sounds.notes import played
from recipes.speech.tasks import ASK_SAID
from toys import ToyCodec, tiny_base

from sensorium import plugins
from sensorium.families.either import EitherCodec
from sensorium.model import Model, grow
from sensorium.types import InputError, Part

PIECES = 6


class Pieces(ToyCodec):
    """A codec of speech that hears nothing."""

    family = "toy-pieces"

    def __init__(self, **given):
        super().__init__(**{"name": "audio-words", "sizes": (PIECES,), "grid": None, "min_frames": 0, **given})

    @property
    def pieces(self):
        return ["a"] * PIECES

    def words(self, codebook):
        return [" hello", " this", " world", " what", " is", " red"]


class Names(ToyCodec):
    """Names of sounds: the two largest of the values."""

    family = "toy-names"

    def __init__(self, **given):
        made = {"name": "sound-words", "sizes": (3,), "grid": (2,), "max_frames": 2, "use": "read"}
        super().__init__(**{**made, **given})

    def quantise(self, values_NC):
        return np.argsort(-values_NC, axis=1)[:, :2]

    def words(self, codebook):
        return ["piano", "heart", "noise"]


@pytest.fixture
def known(monkeypatch):
    for kind in (Pieces, Names):
        plugins.register(plugins.CODECS, kind.family, kind)
    monkeypatch.setattr(model, "hearing", Pieces)
    monkeypatch.setattr(sounds, "WORDS", ["piano", "heart", "noise"])
    monkeypatch.setattr(sounds, "sound_words", Names)
    monkeypatch.setattr(sounds, "hearing", Pieces)
    monkeypatch.setattr(sounds, "_seen", lambda: (5 * np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, 0])))
    monkeypatch.setattr(sounds, "listening", lambda: EitherCodec(Pieces(), Names()))
    yield
    for kind in (Pieces, Names):
        plugins.unregister(plugins.CODECS, kind.family)


def test_a_sound_is_named_said_to_be_one_or_another_and_written_down_in_brackets(known):
    asked = {}
    for seed in range(120):
        turns = sounds.sound(Random(seed)).messages
        for one, answer in zip(turns[::2], turns[1::2], strict=True):
            code = one.parts[0].codes
            assert one.parts[0].codec == "audio-words" and code.min() >= PIECES and len(code) == 2
            asked.setdefault(one.text, set()).add((int(code[0]) - PIECES, answer.text))
    assert asked[sounds.ASK_SOUND[0]] == {(0, "a piano"), (1, "a heart"), (2, "noise")}
    assert asked[ASK_SAID[0]] <= {(0, "(piano)"), (1, "(heart)"), (2, "(noise)")}
    assert asked[sounds.ASK_IF.format("a piano")] == {(0, "yes"), (1, "no"), (2, "no")}


def test_a_smol_of_before_goes_on_and_learns_the_rows_of_sounds_alone(known, monkeypatch, tmp_path):
    reader = ToyCodec(model.SEEN, "read", modality="image")
    before = grow(tiny_base(), [reader, Pieces()], "adapter", lora_rank=2)
    for parameter in before.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter)
    before.fold().save(tmp_path / "before")
    both = EitherCodec(Pieces(), Names())
    later = grow(tiny_base(), [reader, both], "adapter", lora_rank=2)
    words = later.embedding.rows()[-3:].detach().clone()
    model.go_on_from(Model.load(tmp_path / "before"), later)
    text, layout = later.vocabulary.text_size, later.vocabulary.layout("audio-words")
    first = layout.starts[0] - text
    for side, old in zip((later.embedding, later.head), (before.embedding, before.head), strict=True):
        torch.testing.assert_close(side.rows()[: first + PIECES], old.rows()[: first + PIECES])
    torch.testing.assert_close(later.embedding.rows()[-3:], words)
    silent = later.head.rows()[later.vocabulary.layout(model.SEEN).open_id - text]
    torch.testing.assert_close(later.head.rows()[-3:], silent.expand(3, -1))  # what sounds are called is never written
    monkeypatch.setattr(model, "grown", lambda start: later)
    assert model.with_sounds("before") is later
    assert [one.shape[0] for one in later.parameters_to_train()["rows"]] == [3]
    assert set(later.parameters_to_train()) == {"rows"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_smol_names_sounds_of_a_font_that_nobody_heard():
    """Fetches a soundfont on its first run; needs the packages that carry smol's base and what hears."""
    import sensorium as sm

    try:
        smol = sm.load("smol")
        notes = played("held-out", 24, seed=3)
        answers = [smol.chat(["What sound is it?", Part("audio", one.signal)], temperature=0) for one in notes]
    except InputError as error:
        pytest.skip(str(error))
    right = [one.text.strip(" .").endswith(note.kind) for one, note in zip(answers, notes, strict=True)]
    assert sum(right) >= 6, "chance is less than one of 24"


def test_more_names_of_sounds_leave_what_is_heard(known, tmp_path):
    class More(Names):
        family = "toy-more"

        def __init__(self, **given):
            super().__init__(**{"sizes": (4,), **given})

        def words(self, codebook):
            return ["piano", "heart", "noise", "red"]

    reader, both = ToyCodec(model.SEEN, "read", modality="image"), EitherCodec(Pieces(), Names())
    before = grow(tiny_base(), [reader, both], "adapter", lora_rank=2)
    for parameter in before.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter)
    before.fold().save(tmp_path / "before")
    later = grow(tiny_base(), [reader, EitherCodec(Pieces(), More())], "adapter", lora_rank=2)
    model.go_on_from(Model.load(tmp_path / "before"), later)
    known_NH = before.embedding.rows()
    torch.testing.assert_close(later.embedding.rows()[: len(known_NH)], known_NH)
    with pytest.raises(InputError, match="name one to start from"):
        model.with_sounds("")
