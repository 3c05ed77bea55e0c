"""How well a model tells the mood of drawn faces and of what is said.

``python -m recipes mood evaluate MODEL --out FOLDER``, ``... --thinking`` with the request to think first. Faces are of
families, or of names, that were never trained on; sentences have their mood from words that never were, or are from
reviews. What is said is told to the model in the codes of its text, as if it had been heard without a mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from recipes.mood import faces, heard, reviews
from recipes.mood.baselines import CountedWords, rated
from recipes.mood.faces import about
from recipes.mood.moods import MOOD_OF_ROOT, MOODS, POLARITIES
from recipes.mood.sentences import Sentence, Sentences
from recipes.pictograms.concepts import Gallery, Picture
from recipes.pictograms.evaluate import WHITE
from recipes.scenes.evaluate import thinks
from recipes.scenes.thoughts import asked_first
from recipes.speech.errors import normalised
from recipes.speech.spelled import WORDS
from typer import Argument, Option

from sensorium.evaluate import Among, Results, Task, Written, nearest
from sensorium.types import Conversation, InputError, Part

MEASURES = ("faces", "pairs", "feelings", "sentences", "reviews")
LEARNED_FROM = 5000
"""Training sentences whose words are counted."""
APART = 2
"""Faces between one that is in the mood asked for and the next question, so that another's medium is another's."""


def evaluate(
    model: Annotated[str, Argument(help="Name, folder or Hub id.")],
    out: Annotated[Path, Option(help="Folder for the report.")],
    count: Annotated[
        int, Option(min=1, help="Pairs of faces, sentences of each kind, and faces thought about at most.")
    ] = 150,
    only: Annotated[list[str] | None, Option(help=f"Some of {', '.join(MEASURES)}.")] = None,
    thinking: Annotated[bool, Option(help="Only with the request to think first, beside the same at once.")] = False,
    engine: Annotated[str, Option(help="What writes, see `sensorium.engines.make_engine`.")] = "torch",
    seed: int = 0,
) -> None:
    """Measure whether moods of faces and of sentences are told."""
    import sensorium

    wanted = only or MEASURES
    if unknown := {*wanted} - {*MEASURES}:
        raise InputError(f"there is no measure {unknown.pop()!r}; the measures are {', '.join(MEASURES)}")
    loaded, results = sensorium.load(model, engine=engine), Results(notes={"model": model, "count": count})
    if {"faces", "pairs"} & {*wanted}:
        gallery = Gallery()
        for where, shown in (("held-out family", held_out(gallery)), ("unseen name", unseen(gallery))):
            if thinking:
                evenly = shown[:: -(-len(shown) // count)]
                think(results, loaded, picture_tasks(wanted, gallery, evenly, where, count, seed))
                continue
            if "faces" in wanted:
                tell_faces(results, loaded, gallery, shown, where, seed)
            if "pairs" in wanted:
                tell_pairs(results, loaded, gallery, shown, where, count, seed)
    if {*TOLD} & {*wanted}:
        sentences = Sentences.fetched()
        for name, told in TOLD.items():
            found = told(loaded, sentences, count, seed) if name in wanted else []
            if thinking:
                think(results, loaded, [one.task for one in found])
                continue
            for one in found:
                tell(results, loaded, sentences, one)
    results.save(out, "thinking" if thinking else "mood")


def think(results: Results, model: Any, tasks: Iterable[Task]) -> None:
    """What is asked, answered freely at once, and after a thought."""
    for task in tasks:
        thinks(model, [task], [asked_first(task)], results)


def held_out(gallery: Gallery) -> list[Picture]:
    """Drawings by families never trained on, of faces that training has seen drawn by others."""
    return [one for one in _moody(gallery) if one.held_out and one.split == "train"]


def unseen(gallery: Gallery) -> list[Picture]:
    """Drawings by the training's families, of faces whose names were never trained on, by whomever drawn."""
    return [one for one in _moody(gallery) if not one.held_out and one.split != "train"]


def _moody(gallery: Gallery) -> list[Picture]:
    return [one for one in gallery.pictures if one.group in MOOD_OF_ROOT and not one.toned]


def picture_tasks(
    wanted: Collection[str], gallery: Gallery, shown: Sequence[Picture], where: str, count: int, seed: int
) -> list[Task]:
    """All that is asked about faces, so far as it is wanted."""
    faces_asked = face_tasks(gallery, shown, where, seed) if "faces" in wanted else []
    return [*faces_asked, *([pair_task(gallery, shown, where, count, seed)] if "pairs" in wanted else [])]


def tell_faces(results: Results, model: Any, gallery: Gallery, shown: Sequence[Picture], where: str, seed: int) -> None:
    """See `face_tasks`; beside them the nearest face."""
    near = nearest_moods(gallery, shown)
    results.notes[f"faces, {where}"] = dict(Counter(MOOD_OF_ROOT[one.group] for one in shown))
    which, polarity, whether = face_tasks(gallery, shown, where, seed)
    for task, found in ((which, near), (polarity, _polarities(near))):
        against(task, model, results)
        task.compare("nearest neighbour on pixels", [[one] for one in found], results)
    against(whether, model, results)


def face_tasks(gallery: Gallery, shown: Sequence[Picture], where: str, seed: int) -> list[Task]:
    """The mood among all, its polarity, and whether it is a mood, asked once where it is and once where it is not."""
    random = Random(seed)
    media = [Part("image", data=gallery.pixels[one.medium]) for one in shown]
    moods = [MOOD_OF_ROOT[one.group] for one in shown]
    tasks: list[Task] = []
    for called, question, answers, choice in (
        ("mood of a face", faces.ASK_MOOD[0], moods, tuple(MOODS)),
        ("polarity of a face", faces.ASK_POLARITY[0], _polarities(moods), POLARITIES),
    ):
        talks = [about([part], [(question, answer)]) for part, answer in zip(media, answers, strict=True)]
        tasks.append(Task(name=f"{called}, {where}", conversations=talks, scorer=Among(choice, (1,))))
    others = [random.choice([name for name in MOODS if name != mood]) for mood in moods]
    right, wrong = ([*zip(media, asked, strict=True)] for asked in (moods, others))
    talks = [
        about([part], [(faces.ASK_WHETHER[0].format(mood=asked), said)])
        for two in zip(right, wrong[APART:] + wrong[:APART], strict=True)
        for (part, asked), said in zip(two, ("yes", "no"), strict=True)
    ]
    return [*tasks, Task(name=f"is it this mood, {where}", conversations=talks, scorer=Among(("yes", "no"), (1,)))]


def tell_pairs(
    results: Results, model: Any, gallery: Gallery, shown: Sequence[Picture], where: str, count: int, seed: int
) -> None:
    """See `pair_task`."""
    against(pair_task(gallery, shown, where, count, seed), model, results)


def pair_task(gallery: Gallery, shown: Sequence[Picture], where: str, count: int, seed: int) -> Task:
    """Whether two different faces are of one mood: half of them are."""
    random, talks = Random(seed), []
    while len(talks) < count:
        one, two = random.sample(shown, 2)
        said = "yes" if MOOD_OF_ROOT[one.group] == MOOD_OF_ROOT[two.group] else "no"
        if said == ("yes", "no")[len(talks) % 2]:
            media = [Part("image", data=gallery.pixels[each.medium]) for each in (one, two)]
            talks.append(about(media, [(faces.ASK_SAME[0], said)]))
    return Task(name=f"the same mood, {where}", conversations=talks, scorer=Among(("yes", "no"), (1,)))


def nearest_moods(gallery: Gallery, shown: Sequence[Picture]) -> list[str]:
    """The moods of the training's faces that are nearest in pixels."""
    known = [one for one in _moody(gallery) if one.trainable]
    asked, seen = (gallery.shown(those) / np.float32(255) for those in (shown, known))
    return [best for (best,) in nearest(asked, seen, [MOOD_OF_ROOT[one.group] for one in known], 1)]


@dataclass(frozen=True)
class Told:
    """A task about sentences that are heard.

    Args:
        said: of every question the sentence.
        choice: the polarities there are; none where moods are asked for.
    """

    task: Task
    said: Sequence[Sentence]
    choice: Sequence[str] = ()


def tell(results: Results, model: Any, sentences: Sentences, asked: Told) -> None:
    """Beside it the base that reads the text; of polarity, words counted in training sentences, and the lexicon."""
    against(asked.task, model, results)
    as_text(asked.task, asked.said, model, results)
    if asked.choice:
        counted = [[_counted(sentences).best(one.text, asked.choice)] for one in asked.said]
        asked.task.compare("counted words", counted, results)
        asked.task.compare("the lexicon itself", [[rated(sentences, one.text)] for one in asked.said], results)


def feelings(model: Any, sentences: Sentences, count: int, seed: int) -> list[Told]:
    """How somebody feels who says so in words never trained on."""
    said = picked(sentences, "feeling", count, seed)
    ask = _asking(model)
    talks = [ask(one, heard.ASK_SPEAKER[0], one.mood) for one in said]
    name = "mood of a speaker, held-out words"
    return [Told(Task(name=name, conversations=talks, scorer=Among(tuple(MOODS), (1,))), said)]


def held_out_words(model: Any, sentences: Sentences, count: int, seed: int) -> list[Told]:
    """Sentences made of held-out words, and a dictionary's, each with half as many that are neutral."""
    found: list[Told] = []
    for kind, called in (("quality", "templates"), ("example", "a dictionary's")):
        said = [*picked(sentences, kind, count, seed), *picked(sentences, "neutral", count // 2, seed)]
        found.append(polarity(model, said, f"{called}, held-out words", POLARITIES))
    return found


def of_reviews(model: Any, sentences: Sentences, count: int, seed: int) -> list[Told]:
    """What people wrote in reviews, positive or negative."""
    fetched = reviews.fetched(count, seed)
    return [polarity(model, said, f"reviews, {shop}", POLARITIES[:2]) for shop, said in fetched.items()]


def polarity(model: Any, said: Sequence[Sentence], where: str, choice: Sequence[str]) -> Told:
    question = heard.ASK_POLARITY[0] if "neutral" in choice else heard.ASK_SIDE[0]
    ask = _asking(model)
    talks = [ask(one, question, one.polarity) for one in said]
    name = f"polarity of a sentence, {where}"
    return Told(Task(name=name, conversations=talks, scorer=Among(choice, (1,))), said, choice)


TOLD: Mapping[str, Callable[[Any, Sentences, int, int], list[Told]]] = {
    "feelings": feelings, "sentences": held_out_words, "reviews": of_reviews,
}  # fmt: skip


@cache
def _counted(sentences: Sentences) -> CountedWords:
    return CountedWords([sentences.pick(Random(f"counted {n}"), "train") for n in range(LEARNED_FROM)])


def picked(sentences: Sentences, kind: str, count: int, seed: int) -> list[Sentence]:
    """At most ``count`` different test sentences of a kind."""
    made = (sentences.pick(Random(f"{seed} {number}"), "test", {kind: 1.0}) for number in range(4 * count))
    return list(dict.fromkeys(made))[:count]


def against(task: Task, model: Any, results: Results) -> None:
    """The model among given answers and written freely; blind, with a wrong medium, and the commonest answer."""
    for one in (task, replace(task, name=f"{task.name}, written freely", scorer=Written())):
        one.run(model, results)
    task.blind().run(model, results)
    task.wrong().run(model, results)
    if all(part.modality != "audio" for part in task.conversations[0].parts()):
        task.blank(WHITE, "a white picture").run(model, results)
    ((commonest, _),) = Counter(task.truths).most_common(1)
    task.compare(f"always {commonest!r}", [[commonest]] * len(task.truths), results)


def as_text(task: Task, said: Sequence[Sentence], model: Any, results: Results) -> None:
    """The base, its adapter off, asked the same of the written sentence."""
    pairs = zip(said, task.conversations, strict=True)
    talks = [about([], [(f'"{one.text}" {talk.messages[0].text}', talk.messages[-1].text)]) for one, talk in pairs]
    bare = SimpleNamespace(rank=lambda *asked, **how: model.rank(*asked, **how | {"adapter": False}))
    replace(task, conversations=talks, condition="the base, reading the text").run(bare, results)


def _asking(model: Any) -> Callable[[Sentence, str, str], Conversation]:
    if WORDS not in model.codecs:
        raise InputError(f"the model reads no {WORDS!r}, so no sentence can be told to it; ask only about faces")
    codec = model.codecs[WORDS]
    return lambda one, question, answer: about(
        [Part("audio", codes=codec.cut(normalised(one.text)), codec=WORDS)], [(question, answer)]
    )


def _polarities(moods: Sequence[str]) -> list[str]:
    return [MOODS[mood].polarity for mood in moods]
