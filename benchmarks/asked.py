"""What a model in the box says when it is asked: a table of questions and its greedy answers, right or not.

python benchmarks/asked.py nano --out results/nano/asked.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import sensorium as sm

QUESTIONS = (
    "What is this?",
    "What colour is it?",
    "Is it a cat?",
    "Is it a heart?",
    "¿Qué es esto?",
    "Qu'est-ce que c'est ?",
    "Was ist das?",
)
WORDS = (
    "Hello!",
    "Who are you?",
    "What can you do?",
    "Thank you!",
    "What is 2 plus 3?",
    "What is the capital of France?",
)


def shapes() -> dict[str, np.ndarray]:
    """Plain shapes on white, (64, 64, 3) uint8 each."""
    y, x = np.mgrid[0:64, 0:64] / 32.0 - 1
    heart = (x**2 + (0.1 - y) ** 2 - 0.5) ** 3 - x**2 * (0.1 - y) ** 3 < 0
    house = ((abs(x) < 0.5) & (y > 0) & (y < 0.7)) | ((y <= 0) & (y > -0.6) & (abs(x) < y + 0.65))
    found = {}
    for name, shape, colour in (
        ("a red heart", heart, (220, 20, 40)),
        ("a yellow disc", x**2 + y**2 < 0.6, (250, 200, 0)),
        ("a blue house", house, (40, 60, 200)),
    ):
        found[name] = np.full((64, 64, 3), 255, np.uint8)
        found[name][shape] = colour
    return found


def table(name: str) -> str:
    """The questions and answers as Markdown."""
    model, pictures = sm.load(name), shapes()
    lines = [f"| shown to {name}, and asked | {' | '.join(pictures)} |", "|---" * (len(pictures) + 1) + "|"]
    for question in QUESTIONS:
        said = [model.chat([sm.Image(one), question], want="text").text for one in pictures.values()]
        lines.append(f"| {question} | {' | '.join(said)} |")
    lines += ["", "| asked without a picture | says |", "|---|---|"]
    lines += [f"| {words} | {model.chat(words, want='text').text} |" for words in WORDS]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="nano")
    parser.add_argument("--out", type=Path, help="write the table here too")
    options = parser.parse_args()
    found = table(options.model)
    print(found)
    if options.out:
        options.out.write_text(f"`python benchmarks/asked.py {options.model}` printed:\n\n{found}", encoding="utf-8")


if __name__ == "__main__":
    main()
