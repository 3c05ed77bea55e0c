"""Invariant 4 on a real model: after strict training SmolLM2's own weights are bit-identical, and it answers
text-only prompts exactly as before. Needs the package that carries the base model; see recipes/smol/base.py."""

import numpy as np
import pytest
import torch
from recipes.smol.base import gguf_file

import sensorium as sm
from sensorium.data import pack
from sensorium.data.packing import Sample
from sensorium.evaluate.instructions import plain_prompts
from sensorium.generate import Assistant
from sensorium.model import grow, load_base
from sensorium.types import Conversation, InputError, Message, Part, as_message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TOKENS = 16


@pytest.fixture(scope="module")
def base_folder():
    try:
        return gguf_file()
    except InputError as error:
        pytest.skip(str(error))


def square(seed: int) -> np.ndarray:
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[16:48, 16:48] = np.random.default_rng(seed).integers(0, 255, 3)
    return picture


def conversation(seed: int) -> Conversation:
    question = as_message("user", [Part("image", square(seed)), "What is this?"])
    asked = as_message("user", "Draw a square.")
    return Conversation(
        (question, as_message("assistant", "a square"), asked, Message("assistant", (Part("image", square(seed)),)))
    )


@pytest.fixture(scope="module")
def trained(base_folder):
    """The grown model after some steps with a high learning rate."""
    grown = grow(base_folder, [sm.codec("image"), sm.codec("image-read")], learn="rows")
    optimizer = torch.optim.AdamW([p for group in grown.parameters_to_train().values() for p in group], lr=1e-2)
    for step in range(4):
        rendered = grown.stream.render(grown.senses.encode(conversation(step)))
        batch = pack([Sample(rendered.ids, rendered.mask)], len(rendered.ids))
        targets = torch.from_numpy(batch.targets)
        hidden = grown.hidden(torch.from_numpy(batch.ids), torch.from_numpy(batch.position_ids))
        grown.token_loss(hidden[targets >= 0], targets[targets >= 0]).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return grown


def test_every_weight_of_the_base_is_bit_identical(trained, base_folder):
    before, after = load_base(base_folder).lm.state_dict(), trained.fold().lm.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name][: len(value)], value), name


def test_text_only_answers_are_the_bases_own(trained, base_folder, tmp_path):
    base = load_base(base_folder)
    assistant = Assistant.load(trained.fold().save(tmp_path / "smol"))
    assert len(plain_prompts()) == 20
    for prompt in plain_prompts():
        ids = base.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        said = base.lm.generate(**ids, do_sample=False, max_new_tokens=TOKENS)[0, ids["input_ids"].shape[1] :].tolist()
        ours = assistant.chat(prompt, want="text", max_tokens=TOKENS)
        assert list(ours.ids) == said, prompt
