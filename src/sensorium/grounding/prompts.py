"""How a question is put to a model: bare to one that ranks answers, else with options and a request for a letter."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from sensorium.grounding.question import Question

REQUESTS = {
    "open": "Answer in one or two words.",
    "groups": "Answer yes or no.",
    "pope": "Answer yes or no.",
    "locate": "Answer with its box in px, [left, top, right, bottom].",
    "caption": "",
}


def rotations(question: Question, ranks: bool) -> list[tuple[str, ...]]:
    """The orders in which options are shown: each once in every place, or one for a model that ranks them unseen."""
    options = question.options
    if ranks or not options:
        return [options]
    return [(*options[place:], *options[:place]) for place in range(len(options))]


def prompt(question: Question, options: Sequence[str] = (), bare: bool = False) -> str:
    """The words of the question, for options in this order.

    Args:
        bare: the question alone, for models that rank options or answer in another way than by words.
    """
    if bare:
        return question.text
    if question.task == "choice":
        shown = [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]
        return "\n".join([question.text, *shown, "Answer with the letter of the right option only."])
    frame = "" if question.frame is None else f" It is {question.frame[0]:g} x {question.frame[1]:g} px."
    return f"{question.text}{frame} {REQUESTS[question.task]}".strip()


def offered(question: Question) -> Sequence[str]:
    """What a model that ranks answers is to choose from; nothing where it has to write."""
    return question.options or (("yes", "no") if question.task in ("groups", "pope") else ())
