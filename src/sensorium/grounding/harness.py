"""The questions as a task of inspect_ai: samples, the solver that asks, the scorer that marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import CachePolicy, ChatMessageUser, ContentText, GenerateConfig, get_model
from inspect_ai.scorer import Score, Target, mean, scorer
from inspect_ai.solver import Generate, TaskState, solver

from sensorium.grounding.chair import Chair
from sensorium.grounding.marking import marked
from sensorium.grounding.media import contents
from sensorium.grounding.prompts import offered, prompt, rotations
from sensorium.grounding.question import Question
from sensorium.grounding.views import View

CACHE = CachePolicy(expiry=None)
MAX_TOKENS = 64
CAPTION_TOKENS = 256


def task(questions: Sequence[Question], folder: Path, view: View, chair: Chair, name: str = "grounding") -> Task:
    """One condition of an evaluation.

    Args:
        folder: that paths of media are relative to.
    """
    asked = view.questions(questions)
    samples = [
        Sample(
            id=one.id,
            input=one.text,
            target=one.answer,
            metadata={"medium": one.medium, "aspect": one.aspect, "task": one.task, "question": one.to_json()},
        )
        for one in asked
    ]
    known = {one.id: one for one in asked}
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=ask(known, folder, view),
        scorer=mark(known, chair),
        name=name,
        metadata={"condition": view.condition},
        config=GenerateConfig(temperature=0.0, seed=0),
    )


@solver
def ask(known: dict[str, Question], folder: Path, view: View) -> Any:
    """Ask every order of the options; what was answered before is taken from the cache."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        question, model = known[str(state.sample_id)], get_model()
        ranks = bool(getattr(model.api, "ranks", False)) and bool(offered(question))
        bare = ranks or (question.task == "locate" and bool(getattr(model.api, "locates", "")))
        tokens = bool(getattr(model.api, "replaces_tokens", False))
        shown = list(contents(question, folder, view, tokens))
        config = GenerateConfig(max_tokens=CAPTION_TOKENS if question.task == "caption" else MAX_TOKENS)
        orders, answers = rotations(question, ranks), []
        for options in orders:
            words = ContentText(text=prompt(question, options, bare))
            about = {"question": question.id, "options": list(options or offered(question)), "task": question.task}
            about |= {"replaced": view.share} if tokens and view.kind == "dropped" else {}
            about |= {"frame": list(question.frame)} if question.frame else {}
            contrast = getattr(model.api, "contrast", 0.0)
            about |= {"contrast": contrast} if contrast else {}  # answers with it and without are cached apart
            message = ChatMessageUser(content=[*shown, words], metadata=about)
            output = await model.generate([message], config=config, cache=CACHE)
            answers.append(output.completion)
            state.messages, state.output = [message], output
        state.metadata |= {"answers": answers, "orders": [list(one) for one in orders], "ranked": ranks}
        return state

    return solve


@scorer(metrics=[mean()])
def mark(known: dict[str, Question], chair: Chair) -> Any:
    """The score of `sensorium.grounding.marking`, with all that it keeps."""

    async def score(state: TaskState, target: Target) -> Score:
        answers, orders = state.metadata["answers"], state.metadata["orders"]
        found = marked(known[str(state.sample_id)], answers, orders, chair)
        more = {"outcome": found.outcome, "chance": found.chance, "ranked": state.metadata["ranked"], **found.more}
        return Score(value=found.score, answer=found.said, explanation=answers[0], metadata=more)

    return score
