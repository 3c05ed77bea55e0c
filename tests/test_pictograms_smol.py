"""The recipe that teaches a frozen LLM to read pictograms, on a made-up table and a tiny model."""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from recipes.pictograms import phrases, tasks
from recipes.pictograms.align import align
from recipes.pictograms.concepts import Concepts
from test_pictograms_tasks import make_pictures
from toys import ToyCodec, tiny_base

from sensorium.model import grow


def test_a_conversation_names_one_to_six_training_pictures_in_turn():
    concepts = Concepts(make_pictures())
    held_out = {p.picture for p in make_pictures() if p.held_out or p.split != "train"}
    lengths = set()
    for seed in range(60):
        talk = tasks.names(concepts, Random(seed), 6)
        shown = [part for part in talk.parts() if not part.is_text]
        assert not held_out & {part.data for part in shown}
        roles = [message.role for message in talk.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        lengths.add(len(shown))
    assert lengths == {1, 2, 3, 4, 5, 6}


def test_aligned_rows_point_to_the_words_of_the_name():
    concepts = Concepts(make_pictures())
    grown = grow(tiny_base(), [ToyCodec(name="image-read", use="read", sizes=(8, 8), grid=(1,), max_frames=1)])
    numbers = {concept.label: n for n, concept in enumerate(concepts)}
    read = np.zeros((1 + max(p.picture for p in make_pictures()), 1, 2), np.int64)
    for concept in concepts:
        for picture in concept.pictures:
            read[picture.picture, 0] = numbers[concept.label] % 8
    before = {name: value.clone() for name, value in grown.lm.named_parameters() if ".rows." not in name}
    align(grown, "image-read", concepts, read, ridge=1e-3)
    rows, table = grown.embedding.rows().detach(), grown.embedding.weight
    first = grown.vocabulary.layout("image-read").starts[0] - grown.vocabulary.text_size
    near = []
    for concept in concepts:
        ids = grown.tokenizer(phrases.phrase(concept.label), add_special_tokens=False)["input_ids"]
        wanted = table[ids].mean(0) - table.mean(0)
        got = rows[first + numbers[concept.label] % 8] - table.mean(0)
        near.append(float(torch.cosine_similarity(got, wanted, dim=0)))
    assert np.mean(near) > 0.8
    for name, value in before.items():
        assert torch.equal(dict(grown.lm.named_parameters())[name], value), name
