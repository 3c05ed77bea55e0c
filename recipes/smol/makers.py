"""The conversations that smol learns from, by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from random import Random

from recipes.mood import faces
from recipes.mood import heard as moods_heard
from recipes.mood.sentences import Sentences
from recipes.motion.makers import episode as moving
from recipes.motion.questions import conversation as clip_talk
from recipes.motion.thoughts import thought_about as thought_about_clip
from recipes.pictograms import tasks as pictures
from recipes.pictograms.phrases import phrase
from recipes.scenes.codec import making
from recipes.scenes.episodes import STILL, WRITTEN, episode
from recipes.scenes.episodes import makers as scenes
from recipes.scenes.thoughts import MARK, thought_about, turn_over
from recipes.smol import series
from recipes.smol.drawing import film, paint
from recipes.smol.senses import concepts, heard, hearing, seen, texts
from recipes.smol.sounds import sound
from recipes.smol.talk import ABOUT, Said, answers
from recipes.speech.errors import normalised
from recipes.speech.model import makers as spoken
from recipes.speech.model import trained_on
from recipes.speech.spelled import WORDS as HEARD
from recipes.speech.tasks import ASK_SAID, ASK_SAY, Spoken, saying, transcribing, usually_first
from recipes.speech.words import REPLIES

from sensorium.recipe import Maker
from sensorium.types import Conversation, Message, Part, as_message

PICTURES, CLIPS, SCENES, SERIES, DRAWN, TURNS = 12, 6, 3, 4, 5, 3
"""Of a kind in a conversation, at most: the base's own system prompt costs as much as a medium, so several share it."""
ASKED = {task: share for task, share in STILL.items() if task not in WRITTEN}
WATCHED = {
    "acts": 2.5, "direction": 2.0, "who": 0.5, "when": 1.0, "until": 0.5, "does": 2.0, "happens": 0.5, "subtitles": 1.0,
}  # fmt: skip
THINKING = 0.8
"""Share of the clips that are thought about."""
FELT = 0.5
"""Share of the moods that are thought about."""
TALKED = 0.25
"""Share of the talk in the base's own words before which there is to be thought: of a medium, what it shows."""
THOUGHT = {"relation": 2.5, "is it": 1.5, "where": 2.0, "count": 2.0, "total": 0.5, "exists": 1.5}
MORE = 6
"""Further questions about a scene at most, of which those that can be thought about are asked."""
PLAIN = 0.1
"""Share of the questions that need no thought and are asked to think all the same: the answer comes at once."""
POINTED = ("locate", "locate", "point")
SPOKEN = {
    "write": 0.42,
    "name": 0.1,
    "translate": 0.06,
    "in_english": 0.04,
    "answer": 0.06,
    "say": 0.26,
    "say_translated": 0.06,
}
NOTICED = (("Look at this.", "I am looking."), ("This is for later.", "Thank you."), ("Here you are.", "I see."))
"""What is said beside a medium that nothing is asked about, and the answer."""
CLAIMS = [reply for some in REPLIES.values() for reply in some if "draw" in reply or "dibuj" in reply]
"""Answers to what is asked aloud that are not true of it."""
WRITE = ("Tell me something.", "Write a few sentences.", "Say anything.", "Go on.")
MISHEARD = 0.06
"""Share of letters that are others in a text that is read as if it had been heard."""


def names(random: Random, most: int = PICTURES) -> Conversation:
    return plainly(seen().fill(pictures.names(concepts(), random, most=most), random), random)


def plainly(made: Conversation, random: Random, kinds: Sequence[str] = (), share: float = PLAIN) -> Conversation:
    """Now and then the request to think, where nothing is to be thought about.

    Args:
        kinds: of the questions, where there are some in `THOUGHT`.
        share: of the questions that are asked so.
    """
    turns = list(made.messages)
    for place in range(0, len(turns), 2):
        asked, answer = turns[place : place + 2]
        if kinds and kinds[place // 2] in THOUGHT:
            continue
        if random.random() < share and asked.parts[-1].is_text and all(part.is_text for part in answer.parts):
            turns[place : place + 2] = turn_over(asked, answer)
    return Conversation(tuple(turns))


def read(random: Random) -> Conversation:
    return seen().fill(pictures.read(concepts(), random), random)


@cache
def _scenes() -> Mapping[str, Maker]:
    return scenes(making())


def scene(random: Random) -> Conversation:
    """A scene, and what is asked of it."""
    made = episode(random.choices(list(ASKED), list(ASKED.values()))[0], random, making())
    return plainly(made.conversation(made.rendered(making().atlas)), random, [turn.kind for turn in made.turns])


@cache
def _spoken() -> Mapping[str, Maker]:
    return spoken(Spoken(heard().known(trained_on()), texts().names, any_voice=True))


def clip(random: Random) -> Conversation:
    """A clip of speech, and what is asked of it; or words to say. It does not claim that it draws."""
    made = _spoken()[random.choices(list(SPOKEN), list(SPOKEN.values()))[0]](random)
    return clip(random) if made.messages[-1].text in CLAIMS else plainly(heard().fill(made, random), random)


def say(random: Random) -> Conversation:
    """Words to say: any, since no sound is needed to know their codes."""
    text = texts().pick(random, "train")
    return saying(text.text, _told_as(normalised(text.text, text.language)), usually_first(ASK_SAY, random))


def write(random: Random) -> Conversation:
    """Words to write down that nobody has said, some of their letters misheard."""
    text = texts().pick(random, "train")
    told = _heard_as(normalised(text.text, text.language), random)
    return transcribing(told, text.text, text.language, usually_first(ASK_SAID, random))


@cache
def _sentences() -> Sentences:
    return Sentences.fetched(texts())


def mood(random: Random) -> Conversation:
    """A face or a sentence that is heard, and the mood it is in."""
    if random.random() < 0.5:
        return seen().fill(faces.mood(concepts(), random, FELT), random)
    return moods_heard.mood(_sentences(), partial(_heard_as, random=random), random, FELT)


def _heard_as(words: str, random: Random) -> Part:
    """Words in which some letters were misheard."""
    letters = hearing().hearing.settings.signs
    return _told_as("".join(random.choice(letters) if random.random() < MISHEARD else letter for letter in words))


def _told_as(words: str) -> Part:
    return Part("audio", codes=hearing().cut(words), codec=HEARD)


def think(random: Random) -> Conversation:
    """A scene, and questions that are thought about before they are answered."""
    kind = random.choices(list(THOUGHT), list(THOUGHT.values()))[0]
    made = episode(kind, random, replace(making(), more=MORE))
    made = replace(made, turns=tuple(turn for turn in made.turns if turn.kind in THOUGHT))
    return thought_about(made).conversation(made.rendered(making().atlas))


def watch(random: Random) -> Conversation:
    """A clip, and what is asked of it, thought about first or not."""
    made = moving(random.choices(list(WATCHED), list(WATCHED.values()))[0], random, "train", making().atlas, more=3)
    talks = [talk for talk in made.talks if talk.kind in WATCHED]
    return clip_talk(made.clip, thought_about_clip(talks, made.clip.facts) if random.random() < THINKING else talks)


def point(random: Random) -> Conversation:
    """A scene in which something is to be pointed at."""
    return _scenes()[random.choice(POINTED)](random)


def about(random: Random) -> Conversation:
    """Pictures, talked about as the base talks about what they show; now and then they are named first.

    Who is to think before he talks says what is shown.
    """
    turns: list[Message] = []
    for said in random.choices(_told(True), k=random.randint(1, TURNS)):
        part = pictures.picture_part(pictures.any_picture(concepts().by_label[said.label], random))
        shown: list[str | Part] = [part]
        if random.random() < 0.3:
            turns += pictures.named(part, said.label).messages
            shown = []
        turn = _turn(said, [*shown, ABOUT[said.number][1]])
        turns += turn_over(*turn, phrase(said.label)) if random.random() < TALKED else turn
    return seen().fill(Conversation(tuple(turns)), random)


def apart(random: Random) -> Conversation:
    """A medium, with a question or none, and then talk about something else, which is not learned: words are kept."""
    maker = random.choices((partial(names, most=1), scene, clip, watch), (2, 1, 1, 1))[0]
    first = maker(random).messages[:2]
    if random.random() < 0.5:
        noticed, answer = random.choice(NOTICED)
        shown = [part for part in first[0].parts if not part.is_text]
        first = (as_message("user", [*shown, noticed]), as_message("assistant", answer))
    return Conversation((*first, *(_read(one) for one in _talk(random).messages)))


def _talk(random: Random) -> Conversation:
    """In the base's own words, or any others."""
    if random.random() < 0.5:
        return alone(random)
    said = " ".join(texts().pick(random, "train").text for _ in range(random.randint(2, 6)))
    return Conversation((as_message("user", random.choice(WRITE)), as_message("assistant", said)))


def _read(message: Message) -> Message:
    """Not learned, but for what is to be thought first."""
    return message if message.text.startswith(MARK) else replace(message, learned=False)


def alone(random: Random) -> Conversation:
    """Talk about anything, in the base's own words; there is nothing to think about before."""
    found = random.choices(_told(False) + _told(True), k=random.randint(1, TURNS))
    made = Conversation(tuple(message for said in found for message in _turn(said, said.question)))
    return plainly(made, random, share=TALKED)


def _turn(said: Said, asked: str | Sequence[str | Part]) -> tuple[Message, Message]:
    return as_message("user", asked), replace(as_message("assistant", said.answer), finished=said.finished)


@cache
def _told(about_things: bool) -> list[Said]:
    return [said for said in answers() if (said.number >= 0) == about_things]


def several(maker: Maker, most: int) -> Maker:
    """Up to so many of them in one conversation."""

    def make(random: Random) -> Conversation:
        talks = [maker(random) for _ in range(random.randint(1, most))]
        return Conversation(tuple(chain.from_iterable(talk.messages for talk in talks)))

    return make


MAKERS: Mapping[str, Maker] = {
    "names": names, "read": read, "about": about, "apart": apart, "alone": alone, "scenes": several(scene, SCENES),
    "speech": several(clip, CLIPS), "say": several(say, CLIPS), "write": several(write, CLIPS),
    "point": several(point, SCENES), "think": several(think, SCENES),
    "watch": several(watch, SCENES), "tell": several(series.tell, SERIES), "plot": several(series.write, SERIES),
    "sets": several(series.name, SERIES), "paint": several(paint, DRAWN), "film": several(film, DRAWN),
    "tell beside sets": several(partial(series.tell, reader=series.reader_of_sets), SERIES),
    "mood": several(mood, CLIPS), "sound": sound,
}  # fmt: skip
