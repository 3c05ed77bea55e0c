"""Measuring what a model hears: CER and WER, and the choice among names, each beside runs that cannot hear.

Controls are views of the same task: no sound, silence, and the sound of another clip. A model that does as well on
them has learned what is likely to be said, not to listen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from recipes.speech import human, tasks
from recipes.speech.clips import Clip, folder
from recipes.speech.errors import ErrorRate, counted, rate_of
from recipes.speech.phonemes import phonemes
from recipes.speech.sound import read_sound
from recipes.speech.teacher import RATE_HZ as TEACHER_HZ
from recipes.speech.teacher import Teacher
from recipes.speech.texts import Name, Texts
from recipes.speech.voices import SPEAKING, UNSEEN

from sensorium.evaluate import Among, Results, Scorer, Share, Task, Verdict
from sensorium.evaluate.scorers import asked
from sensorium.evaluate.values import Value
from sensorium.generate.spoken import written_down
from sensorium.modalities.utterances import Span
from sensorium.types import TEXT, Conversation, Part, Signal

CHOICE = 50
SILENCE = Signal(np.zeros((16000, 1), np.float32), 16000.0)
MOST_TOKENS = 64
"""Written at most where there is no sound; else its length is the limit, as for whoever has it written down."""


@dataclass(frozen=True)
class Heard(Verdict):
    """On one answer: edits and lengths, in letters and in words; ``value`` is the letters' error rate."""

    letters: tuple[float, float] = (0.0, 1.0)
    words: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Transcribed(Scorer):
    """What a model writes of what it hears, against what is said; ``language`` is for digits.

    It is written by `written_down`, so within the limits that `sensorium transcribe` and the server have, but of the
    clip as one piece.
    """

    language: str = "en"

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        return [self._heard(model, *asked(one)) for one in conversations]

    def _heard(self, model: Any, prompt: Conversation, truth: Any) -> Heard:
        written = _written(model, prompt)
        found = {}
        for of in ("letters", "words"):
            edits, lengths = counted([truth.text], [written], of, [self.language])
            found[of] = (float(edits[0]), float(lengths[0]))
        return Heard(found["letters"][0] / found["letters"][1], (written,), **found)

    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        own = [one for one in verdicts if isinstance(one, Heard)]
        return [(", CER", _rate([one.letters for one in own])), (", WER", _rate([one.words for one in own]))]


def _written(model: Any, prompt: Conversation) -> str:
    sounds = [part for part in prompt.parts() if not part.is_text]
    if not sounds:
        return model.chat(prompt, want=TEXT, temperature=0, max_tokens=MOST_TOKENS).text.strip()
    (sound,) = sounds
    return written_down(model, [(sound, Span(0, len(sound.data.array) / sound.data.rate_hz))], temperature=0)[0]


def _rate(counts: Sequence[tuple[float, float]]) -> ErrorRate:
    edits, lengths = np.array(counts, float).T
    return rate_of(edits, lengths)


def heard_task(name: str, sounds: Sequence[Signal], texts: Sequence[str], language: str = "en") -> Task:
    """Sounds of one language with what is said in them."""
    pairs = zip(sounds, texts, strict=True)
    talks = [tasks.transcribing(Part("audio", data=sound), text, language) for sound, text in pairs]
    return Task(name=name, conversations=talks, scorer=Transcribed(language))


def listening(model: Any, results: Results, clips: Sequence[Clip], count: int, seed: int = 0) -> None:
    """Held-out sentences by the speaking voice and by unseen blends, by language; and recordings of people."""
    for part, called in (("test", "teacher"), ("test-unseen", "unseen voices")):
        for language in ("en", "es"):
            chosen = [clip for clip in clips if clip.part == part and clip.lang == language][:count]
            if chosen:
                sounds = [read_sound(folder() / clip.path) for clip in chosen]
                _with_controls(
                    heard_task(f"listening, {called}, {language}", sounds, [c.text for c in chosen], language),
                    model,
                    results,
                )
    people = human.sentences(count, seed)
    sounds = [read_sound(one.path) for one in people]
    _with_controls(heard_task("listening, people, en", sounds, [one.text for one in people]), model, results)


def choosing(model: Any, results: Results, seed: int = 0) -> None:
    """Which of `CHOICE` names is said, see `choices`, beside chance."""
    for task in choices(seed):
        _with_controls(task, model, results)
    for who in ("people", "teacher"):
        results.add(f"choice among {CHOICE} names, {who}", "chance", Share(1, CHOICE))


def choices(seed: int = 0) -> list[Task]:
    """Which of `CHOICE` names is said: by exact likelihood, each question as it was trained.

    People say names of animals; the teacher says names of concepts that are held out, a third in the speaking voice and
    the rest in unseen ones.
    """
    people = [(read_sound(one.path), one.text) for one in human.some(human.names(), CHOICE, seed)]
    found = []
    for who, said in (("people", people), ("teacher", taught_names(seed))):
        parts = [(Part("audio", data=sound), text) for sound, text in said]
        for question, ask in ((tasks.ASK_NAMED[0], tasks.naming), (tasks.WHAT_IS_SAID, tasks.transcribing)):
            talks = [ask(*one) for one in parts]
            scorer = Among([talk.messages[-1].text for talk in talks])
            name = f"choice among {CHOICE} names, {who}, {question!r}"
            found.append(Task(name=name, conversations=talks, scorer=scorer))
    return found


def taught_names(seed: int = 0) -> list[tuple[Signal, str]]:
    """`CHOICE` held-out names in English, each said alone by the teacher."""
    return [(sound, name.label) for sound, name in spoken_names("en", seed)]


def spoken_names(language: str, seed: int = 0) -> list[tuple[Signal, Name]]:
    """`CHOICE` held-out names, each said alone by the teacher in a language."""
    teacher, voices = Teacher(), (SPEAKING, *UNSEEN)
    known = {one.label: one for one in Texts.fetched().names if one.split == "test" and ":" not in one.label}
    chosen = [known[label] for label in Random(seed).sample(sorted(known), CHOICE)]
    sounds = [teacher(phonemes(one.names[language], language), voices[n % len(voices)]) for n, one in enumerate(chosen)]
    return [(Signal(sound[:, None], float(TEACHER_HZ)), one) for sound, one in zip(sounds, chosen, strict=True)]


def translating(model: Any, results: Results, seed: int = 0) -> None:
    """Held-out names that the teacher says in one language, told in the other: which of `CHOICE`."""
    for own, other in (("en", "es"), ("es", "en")):
        said = [(Part("audio", data=sound), one.names[other]) for sound, one in spoken_names(own, seed)]
        talks = [tasks.translated(part, name, other) for part, name in said]
        task = Task(
            name=f"name said in {own}, told in {other}", conversations=talks,
            scorer=Among(list(dict.fromkeys(name for _, name in said))),
        )  # fmt: skip
        _with_controls(task, model, results)


def answering(model: Any, results: Results, clips: Sequence[Clip]) -> None:
    """Questions and greetings asked aloud in voices that are not trained on: the right one of all answers."""
    chosen = [clip for clip in clips if clip.part == "question" and clip.split == "test"]
    chosen = [clip for clip in chosen if tasks.transcript(clip) in tasks.ANSWERS]
    talks = [tasks.answering(Part("audio", data=read_sound(folder() / clip.path)), clip) for clip in chosen]
    answers = list(dict.fromkeys(tasks.ANSWERS.values()))
    _with_controls(
        Task(name="answer to what is asked aloud", conversations=talks, scorer=Among(answers)), model, results
    )


def _with_controls(task: Task, model: Any, results: Results) -> None:
    verdicts = task.run(model, results)
    results.notes[task.name] = [
        {"said": truth, "heard": list(verdict.said[:1])}
        for truth, verdict in zip(task.truths[:12], verdicts[:12], strict=True)
    ]
    task.blind("no sound").run(model, results)
    task.blank(SILENCE, "silence").run(model, results)
    task.wrong("another's sound").run(model, results)
