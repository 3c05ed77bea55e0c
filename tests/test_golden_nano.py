"""What nano says and draws must not change when the house around it does.

The file of what it said was written before such a change: ``python tests/test_golden_nano.py`` writes it again,
which is right only when new weights or a better codec are meant to answer differently.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden" / "nano.json"
ENGINES = ("torch", "onnx", "onnx-int8")
WORDS = ("Hello!", "What can you do?", "Wie geht es dir?", "What is 2 plus 3?", "Tell me a colour.")
QUESTIONS = ("What is this?", "What colour is it?", "¿Qué es esto?")
DRAWINGS = ("Draw a red heart.", "Draw a yellow star.", "Zeichne ein Haus.", "Draw a cat.")


def pictures() -> list[np.ndarray]:
    """A heart, a disc and a house on white, (64, 64, 3) uint8, as shapes."""
    y, x = np.mgrid[0:64, 0:64] / 32.0 - 1
    heart = (x**2 + (y * -1.0 + 0.1) ** 2 - 0.5) ** 3 - x**2 * (y * -1.0 + 0.1) ** 3 < 0
    house = ((abs(x) < 0.5) & (y > 0) & (y < 0.7)) | ((y <= 0) & (y > -0.6) & (abs(x) < y + 0.65))
    drawn = []
    for shape, colour in ((heart, (220, 20, 40)), (x**2 + y**2 < 0.6, (250, 200, 0)), (house, (40, 60, 200))):
        picture = np.full((64, 64, 3), 255, np.uint8)
        picture[shape] = colour
        drawn.append(picture)
    return drawn


def answers(model: Any) -> dict[str, list[int]]:
    """Ids of greedy answers to words and pictures, and of drawings, greedy and with a seed."""
    import sensorium as sm

    said = {words: model.chat(words, want="text", max_tokens=24) for words in WORDS}
    for number, picture in enumerate(pictures()):
        for question in QUESTIONS:
            request = [sm.Image(picture), question]
            said[f"{number} {question}"] = model.chat(request, want="text", max_tokens=24)
    for words in DRAWINGS:
        said[f"{words} greedy"] = model.chat(words, want="image", temperature=0)
        said[f"{words} seed 7"] = model.chat(words, want="image", temperature=0.7, seed=7)
    return {what: [int(id_) for id_ in reply.ids] for what, reply in said.items()}


def logits(model: Any) -> list[float]:
    """Some logits of the plain model after text and codes."""
    import torch

    rows = model.vocabulary.size
    ids = torch.arange(0, rows, rows // 60)[None]
    with torch.inference_mode():
        found = model.lm(input_ids=ids).logits[0, ::7, :: rows // 40]
    return [round(float(value), 4) for value in found.flatten()]


def measure(engine: str) -> dict[str, Any]:
    import sensorium as sm

    model = sm.load("nano", engine=engine)
    return {"answers": answers(model), "logits": logits(model)}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_nano_answers_as_it_did(engine):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[engine]
    found = measure(engine)
    assert found["answers"] == golden["answers"]
    np.testing.assert_allclose(found["logits"], golden["logits"], atol=2e-3)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({engine: measure(engine) for engine in ENGINES}) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {GOLDEN}\n")
