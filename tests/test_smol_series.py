"""Series of smol: made up, told of, gone on with and written; those of the sets come after a codec of their own."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from recipes.scenes.codec import making
from recipes.scenes.episodes import episode
from recipes.scenes.thoughts import ASK, MARK
from recipes.sensors.facts import shape_of
from recipes.sensors.tasks import told
from recipes.smol import makers, model, series
from recipes.smol.makers import plainly
from toys import tiny_base

from sensorium.families.landmarks import COUNTED, KINDS, PEAK, LandmarksCodec
from sensorium.model import Model, grow
from sensorium.types import Conversation, InputError, Part, as_message


@pytest.mark.parametrize("seed", range(5))
def test_a_made_up_series_has_two_samples_or_more_and_one_channel(seed):
    made = series.any_series(np.random.default_rng(seed))
    assert made.ndim == 2 and made.shape[1] == 1 and len(made) > 20 and np.isfinite(made).all()


def test_what_is_told_of_a_series_is_what_its_turns_say():
    right = []
    for seed in range(120):
        made = series.tell(Random(seed))
        (shown,), answer = [part for part in made.parts() if not part.is_text], made.messages[1].text.split(MARK)[-1]
        rows = np.array(shown.codes).reshape(-1, 3)
        peaks = int((rows[:, 0] >= PEAK).sum())
        if "peak" in answer:
            said = "no peaks" if not peaks else "many" if peaks > COUNTED else KINDS[PEAK + peaks - 1].split()[-1]
            right.append(said in answer)
    assert len(right) > 20 and np.mean(right) > 0.9


def test_half_of_what_is_told_is_thought_about_first():
    made = [series.tell(Random(seed)).messages for seed in range(150)]
    thought = [(asked, said) for asked, said in made if asked.text.endswith(ASK)]
    assert 0.35 < len(thought) / len(made) < 0.6
    assert all(f". {MARK} It " in said.text for _, said in thought)
    assert not any(MARK in said.text for asked, said in made if not asked.text.endswith(ASK))


def test_a_series_may_be_told_of_through_another_codec():
    coarse = LandmarksCodec(series.READER, step=0.9)
    fine, rough = series.tell(Random(2)), series.tell(Random(2), reader=lambda: coarse)
    assert [one.messages[1].text for one in (fine, rough)] == [fine.messages[1].text] * 2
    assert len(rough.messages[0].parts[0].codes) < len(fine.messages[0].parts[0].codes)


def test_a_written_series_is_what_was_wished_for():
    made = series.write(Random(3))
    (values,) = series.WRITER.decode([made.messages[1].parts[0].codes])
    facts = told(shape_of(values.array))
    assert any(fact.removeprefix("It ").rstrip(".") in made.messages[0].text for fact in facts.values())


def test_a_smol_of_before_goes_on_with_the_codecs_that_it_knows(tmp_path):
    other = LandmarksCodec("other", use="write")
    before = grow(tiny_base(), [other, series.READ], "adapter", lora_rank=2)
    for parameter in before.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter)
    before.fold().save(tmp_path / "before")
    later = grow(tiny_base(), [series.WRITER, series.READ], "adapter", lora_rank=2)
    fresh = rows_of(later, series.WRITER)
    model.go_on_from(Model.load(tmp_path / "before"), later)
    assert all(map(torch.equal, rows_of(later, series.WRITER), fresh))
    for one, two in zip(rows_of(later, series.READ), rows_of(before, series.READ), strict=True):
        torch.testing.assert_close(one, two)
    assert torch.equal(*(dict(one.lm.named_parameters())[lora_of(one)] for one in (before, later)))


def test_a_model_that_knows_none_of_the_codecs_is_refused(tmp_path):
    grow(tiny_base(), [LandmarksCodec("other")], "adapter", lora_rank=2).fold().save(tmp_path / "before")
    with pytest.raises(InputError, match="none of the codecs"):
        model.go_on_from(Model.load(tmp_path / "before"), grow(tiny_base(), [series.READ], "adapter", lora_rank=2))


def rows_of(grown, codec):
    """Input and output rows of a codec."""
    layout, text_size = grown.vocabulary.layout(codec.facts.name), grown.vocabulary.text_size
    span = slice(layout.open_id - text_size, layout.stop - text_size)
    return [side.rows()[span].detach().clone() for side in (grown.embedding, grown.head)]


def lora_of(grown):
    return next(name for name, _ in grown.lm.named_parameters() if "lora_B" in name)


def test_what_needs_no_thought_is_asked_to_think_now_and_then():
    shown = Part("image", codes=np.array([1]), codec="image-read")
    turn = (as_message("user", [shown, "What is this?"]), as_message("assistant", "a cat"))
    boxes = (as_message("user", "Where?"), as_message("assistant", Part("boxes", codes=np.array([1]), codec="boxes")))
    made = [plainly(Conversation((*turn, *boxes)), Random(seed)) for seed in range(200)]
    thought = [one for one in made if one.messages[0].text.endswith(ASK)]
    assert 5 < len(thought) < 50
    assert {one.messages[1].text for one in thought} == {f"{MARK} a cat"}
    assert {one.messages[1].text for one in made if one not in thought} == {"a cat"}
    assert all(one.messages[2].text == "Where?" for one in made)


def test_what_is_to_be_thought_about_is_never_asked_so_without_a_thought():
    asked = []
    for seed in range(150):
        random = Random(seed)
        made = episode("colour", random, making())
        kinds = [turn.kind for turn in made.turns]
        told = plainly(made.conversation([Part("image", codes=np.array([1]), codec="image-read")]), random, kinds)
        answers = [message.text for message in told.messages[1::2]]
        asked += [kind for kind, text in zip(kinds, answers, strict=True) if text.startswith(MARK)]
    assert asked and not {*asked} & {*makers.THOUGHT}
