"""Conversations about speech: write down what is heard, name it, translate it, say it, answer what is asked aloud.

A clip stands in a conversation as ``Part(AUDIO, data=<its path in the manifest>)``; `recipes.speech.coded` puts codes
in its place. What is heard is answered in small letters without punctuation, as it is scored; what is to be said is
given as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from random import Random

from recipes.pictograms.phrases import ASK_DRAWING, phrase
from recipes.speech import words
from recipes.speech.clips import Clip
from recipes.speech.errors import normalised
from recipes.speech.sound import AUDIO
from recipes.speech.texts import Name
from recipes.speech.voices import SPEAKING

from sensorium.data.table import grouped
from sensorium.modalities.speech_words import IN_ENGLISH, SAY, WHAT_IS_SAID
from sensorium.types import Conversation, InputError, Part, as_message

ASK_SAID = (WHAT_IS_SAID, "Write down what you hear.", "What do you hear?", "Transcribe this.")
ASK_SAY = (SAY, "Say {words}.", "Speak: {words}", "Read this aloud: {words}")
ASK_NAMED = ("What thing is named?", "Which thing is named?", "What is this about?")
ASK_LANGUAGE = ("Which language is it?", "In which language is this said?")
LANGUAGE_WORDS = {"en": "English", "es": "Spanish"}
ASK_DRAWN = "Draw what is named."
ASK_TRANSLATED = "What is it in {language}?"
SAY_TRANSLATED = "Say in {language}: {words}"
SHARES: Mapping[str, float] = {
    "write": 0.4,
    "say": 0.34,
    "name": 0.08,
    "translate": 0.05,
    "in_english": 0.03,
    "say_translated": 0.05,
    "answer": 0.05,
}
USUAL_SHARE = 0.75


class Spoken:
    """The training clips, found by what they say.

    Args:
        clips: of the manifest; those that may not be trained on are left out.
        names: of things, for translations.
        any_voice: clips in all voices are said, not only those in the speaking one.

    Raises:
        InputError: no clip may be trained on.
    """

    def __init__(self, clips: Sequence[Clip], names: Sequence[Name], any_voice: bool = False):
        self.any_voice = any_voice
        self.clips = [clip for clip in clips if clip.split == "train"]
        self.names = {one.label: one for one in names if one.split == "train"}
        if not self.clips:
            raise InputError("there are no training clips yet; make some with `python -m recipes speech data`")

    @cached_property
    def own(self) -> list[Clip]:
        """Those that are said."""
        return [clip for clip in self.clips if self._is_said(clip)]

    @cached_property
    def named(self) -> list[Clip]:
        """Clips about a thing."""
        return [clip for clip in self.clips if self.thing(clip) in self.names]

    def thing(self, clip: Clip) -> str:
        """The English label of what a clip is about; also of a clip that was brought along and says just a name."""
        return clip.concept or self._labels.get((clip.lang, transcript(clip)), "")

    @cached_property
    def _labels(self) -> dict[tuple[str, str], str]:
        return {
            (language, normalised(said, language)): one.label
            for one in self.names.values()
            for language, said in one.names.items()
        }

    @cached_property
    def names_alone(self) -> dict[tuple[str, str], list[Clip]]:
        """Clips that say a thing's name and no more, by the thing and their language."""
        alone = (clip for clip in self.named if self._is_name(clip))
        return grouped(alone, lambda one: (self.thing(one), one.lang))

    @cached_property
    def own_names(self) -> dict[tuple[str, str], list[Clip]]:
        """Those of them that are said."""
        own = {key: [clip for clip in clips if self._is_said(clip)] for key, clips in self.names_alone.items()}
        return {key: clips for key, clips in own.items() if clips}

    def _is_said(self, clip: Clip) -> bool:
        return self.any_voice or clip.voice == SPEAKING

    def _is_name(self, clip: Clip) -> bool:
        name = self.names[self.thing(clip)].names[clip.lang]
        return transcript(clip) in (normalised(name), normalised(phrase(name)))

    @cached_property
    def asked(self) -> list[Clip]:
        """Clips that ask or greet."""
        return [clip for clip in self.clips if transcript(clip) in ANSWERS]

    @cached_property
    def drawing_requests(self) -> dict[str, list[Clip]]:
        """Clips that ask to draw a thing, by the thing."""
        asking = {language: normalised(forms[0].format(""), language) for language, forms in ASK_DRAWING.items()}
        return grouped((c for c in self.named if transcript(c).startswith(asking[c.lang])), self.thing)

    @cached_property
    def name_questions(self) -> list[Clip]:
        """Clips that ask of a picture what it is."""
        asking = {normalised(said, language) for language, ways in words.NAME_QUESTIONS.items() for said in ways}
        return [clip for clip in self.clips if transcript(clip) in asking]


def clip_part(clip: Clip) -> Part:
    return Part(AUDIO, data=clip.path)


def write(spoken: Spoken, random: Random) -> Conversation:
    """What is said, written down; now and then its language too."""
    clip = random.choice(spoken.clips)
    turns = [(usually_first(ASK_SAID, random), transcript(clip))]
    if random.random() < 0.1:
        turns.append((random.choice(ASK_LANGUAGE), LANGUAGE_WORDS[clip.lang]))
    return _about(clip_part(clip), turns)


def name(spoken: Spoken, random: Random) -> Conversation:
    """Which thing a phrase is about, said as a picture's name is said; then what was said."""
    clip = _chosen(spoken.named, random, spoken)
    turns = [(usually_first(ASK_NAMED, random), _named(spoken, clip))]
    if random.random() < 0.4:
        turns.append((WHAT_IS_SAID, transcript(clip)))
    return _about(clip_part(clip), turns)


def say(spoken: Spoken, random: Random) -> Conversation:
    """Words said aloud, always in one voice."""
    clip = _chosen(spoken.own, random, spoken)
    return saying(clip.text, clip_part(clip), usually_first(ASK_SAY, random))


def translate(spoken: Spoken, random: Random) -> Conversation:
    """What a thing that is named in one language is called in the other."""
    clip = _chosen(spoken.named, random, spoken)
    other = "es" if clip.lang == "en" else "en"
    return translated(clip_part(clip), spoken.names[spoken.thing(clip)].names[other], other)


def in_english(spoken: Spoken, random: Random) -> Conversation:
    """What is said, written in English: of Spanish only names that are said alone, since no sentence is translated."""
    names = [clip for (_, language), clips in spoken.names_alone.items() if language == "es" for clip in clips]
    if names and random.random() < 0.7:
        clip = random.choice(names)
        return _about(clip_part(clip), [(IN_ENGLISH, normalised(spoken.names[spoken.thing(clip)].label))])
    clip = _chosen([clip for clip in spoken.clips if clip.lang == "en"], random, spoken)
    return _about(clip_part(clip), [(IN_ENGLISH, transcript(clip))])


def say_translated(spoken: Spoken, random: Random) -> Conversation:
    """A thing's name in one language, said aloud in the other."""
    if not spoken.own_names:
        return say(spoken, random)
    thing, language = random.choice(sorted(spoken.own_names))
    clip = random.choice(spoken.own_names[thing, language])
    name = spoken.names[thing].names["es" if language == "en" else "en"]
    return saying(name, clip_part(clip), SAY_TRANSLATED.replace("{language}", LANGUAGE_WORDS[language]))


def answer(spoken: Spoken, random: Random) -> Conversation:
    """A question or a greeting that is heard, answered in words."""
    if not spoken.asked:
        return write(spoken, random)
    clip = random.choice(spoken.asked)
    return answering(clip_part(clip), clip)


def drawn(clip: Part, picture: Part, request: str = "") -> Conversation:
    """A drawing asked for aloud, the whole ``request`` or, with `ASK_DRAWN`, only the thing's name; and the drawing."""
    asked = [clip, request] if request else [clip]
    return Conversation((as_message("user", asked), as_message("assistant", [picture])))


def asked_about(picture: Part, question: Part, label: str) -> Conversation:
    """A picture, a spoken question for its name, and the name."""
    return Conversation((as_message("user", [picture, question]), as_message("assistant", phrase(label))))


def transcribing(part: Part, text: str, language: str = "en", question: str = WHAT_IS_SAID) -> Conversation:
    """The question what is said, in its usual form, and the answer."""
    return _about(part, [(question, normalised(text, language))])


def answering(part: Part, clip: Clip) -> Conversation:
    """A question that is heard, nothing else, and the answer."""
    return Conversation((as_message("user", [part]), as_message("assistant", ANSWERS[transcript(clip)])))


def translated(part: Part, name: str, language: str) -> Conversation:
    """The question what a thing that is named is called in a language, and its name."""
    return _about(part, [(ASK_TRANSLATED.format(language=LANGUAGE_WORDS[language]), name)])


def naming(part: Part, said: str) -> Conversation:
    """The usual way to ask for what is named, and the answer."""
    return _about(part, [(ASK_NAMED[0], said)])


def saying(words: str, sound: Part | None = None, request: str = SAY) -> Conversation:
    """A request to say words, and the sound where it is known."""
    asked = as_message("user", request.format(words=" ".join(words.split())))
    return Conversation((asked, as_message("assistant", [sound])) if sound else (asked,))


def usually_first(forms: Sequence[str], random: Random) -> str:
    """A form of a question, mostly the usual one."""
    return forms[0] if random.random() < USUAL_SHARE else random.choice(forms)


def transcript(clip: Clip) -> str:
    """What a model is to write when it hears a clip."""
    return normalised(clip.text, clip.lang)


TASKS: dict[str, Callable[[Spoken, Random], Conversation]] = {
    "write": write,
    "name": name,
    "say": say,
    "translate": translate,
    "in_english": in_english,
    "say_translated": say_translated,
    "answer": answer,
}

ANSWERS = {
    normalised(said, language): reply
    for language, replies in words.REPLIES.items()
    for reply, ways in replies.items()
    for said in ways
}


def _about(part: Part, turns: Sequence[tuple[str, str]]) -> Conversation:
    (first, said), *others = turns
    messages = [as_message("user", [part, first]), as_message("assistant", said)]
    for question, reply in others:
        messages += [as_message("user", question), as_message("assistant", reply)]
    return Conversation(tuple(messages))


def _named(spoken: Spoken, clip: Clip) -> str:
    return phrase(spoken.thing(clip)) if clip.lang == "en" else spoken.names[spoken.thing(clip)].names[clip.lang]


def _chosen(pool: Sequence[Clip], random: Random, spoken: Spoken) -> Clip:
    if not pool:
        raise InputError("no training clip of this kind exists yet; make more with `python -m recipes speech data`")
    return random.choice(pool)
