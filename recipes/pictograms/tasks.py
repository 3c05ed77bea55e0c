"""Training conversations made from the pictures table.

A picture stands in a conversation as ``Part("image", data=<row of the pictures table>)``; the caller puts the
codes in. What costs a small model its hours are the picture's tokens, so several questions share one picture,
prompts are short, and drawings keep to one style unless a style is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random

from recipes.pictograms import phrases
from recipes.pictograms.concepts import EMOJI_STYLES, Concept, Concepts, Picture
from recipes.pictograms.phrases import LANGUAGES, category_words, definite, phrase, style_words
from recipes.pictograms.questions import ask, ask_elsewhere, attributes

from sensorium.recipe import conversations as mixed_conversations
from sensorium.types import Conversation, Message, Part, as_message

Turn = tuple[str, str]

SHARES: Mapping[str, float] = {"read": 0.52, "draw": 0.39, "pair": 0.03, "text": 0.06}
TONED_SHARE = 0.05
DROPPED_SHARE = 0.10
DESCRIBED_SHARE = 0.25
IMAGE_LAST_SHARE = 0.2


def conversations(
    concepts: Concepts, count: int, seed: int, shares: Mapping[str, float] = SHARES, start: int = 0
) -> Iterator[Conversation]:
    """``count`` training conversations, see `sensorium.recipe.conversations` and `TASKS`."""
    makers = {name: partial(make, concepts) for name, make in TASKS.items()}
    return mixed_conversations(makers, shares, count, seed, start)


def picture_part(picture: Picture) -> Part:
    return Part("image", data=picture.medium)


def named(part: Part, label: str, language: str = "en") -> Conversation:
    """The usual way to ask for a picture's name, and the answer."""
    asked = as_message("user", [part, phrases.ASK_NAME[language][0]])
    return Conversation((asked, as_message("assistant", phrase(label))))


def categorised(part: Part, category: str) -> Conversation:
    """The usual way to ask for a picture's category, and the answer."""
    asked = as_message("user", [part, phrases.ASK_CATEGORY[0]])
    return Conversation((asked, as_message("assistant", category_words(category))))


def drawing_prompt(label: str) -> Conversation:
    """The usual way to ask for a drawing."""
    return Conversation((as_message("user", phrases.ASK_DRAWING["en"][0].format(phrase(label))),))


def read(concepts: Concepts, random: Random) -> Conversation:
    """Name a picture and answer questions about it, all in one conversation."""
    concept = concepts.pick(random.random())
    picture = any_picture(concept, random)
    language = _language(concept, random, english=0.7)
    name = (_usually_first(phrases.ASK_NAME[language], random), _said(concept, language))
    extra = _questions(concept, concepts, language, random)[: random.choices((0, 1, 2, 3), (40, 35, 17, 8))[0]]
    turns = [name, *extra] if random.random() < 0.72 else [*extra[:1], name, *extra[1:]]
    return _dialogue([picture_part(picture)], turns, random)


def names(concepts: Concepts, random: Random, most: int = 8, categories: float = 0.1) -> Conversation:
    """Up to ``most`` pictures in turn, each with the usual question for its name; now and then its category too."""
    messages: list[Message] = []
    for _ in range(random.randint(1, most)):
        concept = concepts.pick(random.random())
        messages += named(picture_part(any_picture(concept, random)), concept.label).messages
        if concept.category and random.random() < categories:
            messages += [as_message("user", phrases.ASK_CATEGORY[0])]
            messages += [as_message("assistant", category_words(concept.category))]
    return Conversation(tuple(messages))


def draw(concepts: Concepts, random: Random) -> Conversation:
    """Draw from a name, tags or a sentence; now and then in a named style, or with the name dropped."""
    concept = _drawn_concept(concepts, random)
    style = concept.default_style
    if style is None or random.random() < 0.1:
        style = random.choice([name for name in concept.by_style if name in EMOJI_STYLES] or list(concept.by_style))
        prompt = phrases.DRAW_STYLE.format(phrase(concept.label), style_words(style))
    else:
        prompt = _drawing_words(concept, random)
    if random.random() < DROPPED_SHARE:  # so that guidance works (Ho and Salimans 2022, arXiv:2207.12598)
        prompt = phrases.DROPPED if random.random() < 0.9 else phrases.DRAW_ANYTHING
    picture = random.choice(concept.by_style[style])
    return Conversation((as_message("user", prompt), Message("assistant", (picture_part(picture),))))


def pair(concepts: Concepts, random: Random) -> Conversation:
    """Two pictures between words: which is which, what is the one, are both the same thing."""
    one = concepts.pick(random.random())
    two = _other(one, concepts, random)
    same = len(one.plain) > 1 and random.random() < 0.15
    if same:
        first, second = random.sample(one.plain, 2)
        turns = [("Are both the same thing?", "yes"), ("What is it?", phrase(one.label))]
    else:
        first, second = any_picture(one, random), any_picture(two, random)
        turns = _pair_turns(one, two, random)
    return _dialogue([picture_part(first), picture_part(second)], turns, random)


def text(concepts: Concepts, random: Random) -> Conversation:
    """Words only: translations, tags, categories, opposites, a little small talk."""
    concept = concepts.pick(random.random())
    makers = (_translation, _tags_of, _category_of, _opposite, _small_talk)
    maker = random.choices(makers, (35, 15, 20, 10, 20))[0]
    question, answer = maker(concept, concepts, random) or _category_of(concept, concepts, random)
    return Conversation((as_message("user", question), as_message("assistant", answer)))


def mixed(concepts: Concepts, random: Random) -> Conversation:
    """Two or three of the other conversations in one, so that a change of subject does not lose the thread."""
    makers = random.choices((read, draw, text), (4, 4, 2), k=random.choice((2, 2, 3)))
    return Conversation(tuple(message for maker in makers for message in maker(concepts, random).messages))


TASKS: dict[str, Callable[[Concepts, Random], Conversation]] = {
    "read": read,
    "names": names,
    "draw": draw,
    "pair": pair,
    "text": text,
    "mixed": mixed,
}


def _dialogue(media: list[Part], turns: list[Turn], random: Random) -> Conversation:
    """The pictures with the first question (before it, as a rule), then the other questions."""
    messages: list[Message] = []
    for number, (question, answer) in enumerate(turns):
        content: list[str | Part] = [question]
        if number == 0:
            content = [question, *media] if random.random() < IMAGE_LAST_SHARE else [*media, question]
        messages += [as_message("user", content), as_message("assistant", answer)]
    return Conversation(tuple(messages))


def any_picture(concept: Concept, random: Random) -> Picture:
    """A picture of any style, emoji sets with equal odds, others with half; a skin-tone variant now and then."""
    if concept.toned and random.random() < TONED_SHARE:
        return random.choice(concept.toned)
    odds = [1.0 if style in EMOJI_STYLES else 0.5 for style in concept.by_style]
    return random.choice(concept.by_style[random.choices(list(concept.by_style), odds)[0]])


def _drawn_concept(concepts: Concepts, random: Random) -> Concept:
    """What to draw: seldom something that has no drawing in the default style."""
    concept = concepts.pick(random.random())
    while concept.default_style is None and random.random() < 0.8:
        concept = concepts.pick(random.random())
    return concept


def _language(concept: Concept, random: Random, english: float) -> str:
    others = [language for language in LANGUAGES if language != "en" and language in concept.names]
    return "en" if not others or random.random() < english else random.choice(others)


def _said(concept: Concept, language: str) -> str:
    return phrase(concept.label) if language == "en" else concept.names[language]


def _usually_first(forms: tuple[str, ...], random: Random) -> str:
    return forms[0] if random.random() < 0.75 else random.choice(forms)


def _questions(concept: Concept, concepts: Concepts, named_in: str, random: Random) -> list[Turn]:
    """Questions on one picture in random order, those on its attributes mostly first, tags mostly last."""
    turns: list[tuple[float, Turn]] = []
    for attribute in attributes(concept.label):
        language = random.choice(("fr", "es", "de", "it"))
        elsewhere = ask_elsewhere(attribute, language) if random.random() < 0.15 else None
        turns.append((random.random() * 0.5, elsewhere or ask(attribute, random)))
    if concept.category:
        turns.append(
            (random.random(), (_usually_first(phrases.ASK_CATEGORY, random), category_words(concept.category)))
        )
    if concept.tags:
        turns.append((random.random() + 0.3, (_usually_first(phrases.ASK_TAGS, random), _tags(concept))))
    language = _language(concept, random, english=0.0 if named_in == "en" else 0.6)
    if language != named_in:
        turns.append((random.random(), (phrases.ASK_NAME[language][0], _said(concept, language))))
    turns.append((random.random(), _is_it(concept, concepts, random)))
    return [turn for _, turn in sorted(turns)]


def _is_it(concept: Concept, concepts: Concepts, random: Random) -> Turn:
    if random.random() < 0.5:
        return f"Is this {phrase(concept.label)}?", "yes"
    return f"Is this {phrase(_other(concept, concepts, random).label)}?", "no"


def _other(concept: Concept, concepts: Concepts, random: Random) -> Concept:
    """Another concept: one with a name that ends alike, of the same category, or any."""
    pools = (concepts.by_last_word[concept.label.split()[-1]], concepts.by_category[concept.category], concepts)
    for pool in pools[random.randrange(3) :]:
        if len(pool) > 1:
            choice = random.choice(pool) if pool is not concepts else concepts.pick(random.random())
            while choice is concept:
                choice = random.choice(pool)
            return choice
    return concept


def _tags(concept: Concept) -> str:
    return ", ".join(concept.tags[:4])


def _drawing_words(concept: Concept, random: Random) -> str:
    """A drawing prompt in the default style."""
    way = random.random()
    if way < 0.06 and len(concept.tags) >= 2:
        return phrases.DRAW_TAGS.format(", ".join(random.sample(concept.tags, min(3, len(concept.tags)))))
    if way < 0.16:
        return random.choice(phrases.SENTENCES).format(phrase(concept.label))
    language = _language(concept, random, english=0.86)
    if language == "en" and random.random() < DESCRIBED_SHARE:
        said = phrases.described(concept.label, _known_colour(concept), random)
        return _usually_first(phrases.ASK_DRAWING["en"], random).format(said)
    return _usually_first(phrases.ASK_DRAWING[language], random).format(_said(concept, language))


def _known_colour(concept: Concept) -> str:
    """The main colour of the usual drawing, unless the name speaks of a colour."""
    drawn = concept.default_picture
    return drawn.colour if drawn and not attributes(concept.label) else ""


def _pair_turns(one: Concept, two: Concept, random: Random) -> list[Turn]:
    asked, place = random.choice(((one, "the first"), (two, "the second")))
    turns = [
        (f"Which one is {definite(asked.label)}?", place),
        ("What is the first?", phrase(one.label)),
        ("What is the second?", phrase(two.label)),
    ]
    if random.random() < 0.15:
        turns.append(("Are both the same thing?", "no"))
    first = turns.pop(random.choices(range(len(turns)), (4, 1, 1, 2)[: len(turns)])[0])
    return [first, *random.sample(turns, 1)]


def _translation(concept: Concept, concepts: Concepts, random: Random) -> Turn | None:
    language = _language(concept, random, english=0.0)
    if language == "en":
        return None
    if random.random() < 0.75:
        return f"{concept.label} in {LANGUAGES[language]}?", concept.names[language]
    return f"{concept.names[language]} in English?", concept.label


def _tags_of(concept: Concept, concepts: Concepts, random: Random) -> Turn | None:
    return (f"Tags of {phrase(concept.label)}?", _tags(concept)) if concept.tags else None


def _category_of(concept: Concept, concepts: Concepts, random: Random) -> Turn:
    return f"What kind of thing is {phrase(concept.label)}?", category_words(concept.category) or "a thing"


def _opposite(concept: Concept, concepts: Concepts, random: Random) -> Turn:
    """The opposite of this concept when there is one, else of a word."""
    swapped = " ".join(phrases.OPPOSITE.get(word, word) for word in concept.label.split(" "))
    if swapped != concept.label and swapped in concepts.by_label:
        return f"The opposite of {phrase(concept.label)}?", phrase(swapped)
    word = random.choice(sorted(phrases.OPPOSITE))
    return f"The opposite of {word}?", phrases.OPPOSITE[word]


def _small_talk(concept: Concept, concepts: Concepts, random: Random) -> Turn:
    return random.choice(phrases.SMALL_TALK)
