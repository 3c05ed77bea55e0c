"""The conversations that teach a frozen LLM to read pictograms, on a made-up table."""

from __future__ import annotations

from random import Random

from recipes.pictograms import tasks
from recipes.pictograms.concepts import Concepts
from test_pictograms_tasks import make_pictures


def test_a_conversation_names_one_to_six_training_pictures_in_turn():
    concepts = Concepts(make_pictures())
    held_out = {p.medium for p in make_pictures() if not p.trainable}
    lengths = set()
    for seed in range(60):
        talk = tasks.names(concepts, Random(seed), 6)
        shown = [part for part in talk.parts() if not part.is_text]
        assert not held_out & {part.data for part in shown}
        roles = [message.role for message in talk.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        lengths.add(len(shown))
    assert lengths == {1, 2, 3, 4, 5, 6}
