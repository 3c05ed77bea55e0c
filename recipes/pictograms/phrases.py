"""Words around names: articles, and the few ways to ask that the tasks use, in five languages.

The first phrasing of each list is the usual one; the others make up a tail, so that a small model spends its
hours on pictures rather than on ways to ask.
"""

from __future__ import annotations

import re
from functools import cache
from random import Random

LANGUAGES = {"en": "English", "fr": "French", "es": "Spanish", "de": "German", "it": "Italian"}

ASK_NAME = {
    "en": ("What is this?", "what is this?", "What's this?", "What does the picture show?", "Name this picture."),
    "fr": ("Qu'est-ce que c'est ?", "C'est quoi ?"),
    "es": ("¿Qué es esto?", "¿Qué es?"),
    "de": ("Was ist das?", "Was zeigt das Bild?"),
    "it": ("Che cos'è?", "Cosa è questo?"),
}
ASK_DRAWING = {
    "en": ("Draw {}.", "draw {}", "Draw {}", "Please draw {}.", "Show me {}."),
    "fr": ("Dessine : {}.", "dessine {}"),
    "es": ("Dibuja: {}.", "dibuja {}"),
    "de": ("Zeichne: {}.", "zeichne {}"),
    "it": ("Disegna: {}.", "disegna {}"),
}
SENTENCES = (
    "I would like to see {}.",
    "Can you draw {} for me?",
    "Make a picture of {}.",
    "I need a drawing of {}.",
    "Here comes {}: draw it.",
)
ADJECTIVES = ("nice", "small", "big", "little", "simple", "cute", "beautiful")  # none changes what is drawn
ASK_TAGS = ("What are its tags?", "Give tags.")
ASK_CATEGORY = ("What kind of thing is it?", "Which category?")
DROPPED = ""  # as guidance blanks the request
DRAW_ANYTHING = "Draw."
DRAW_TAGS = "Draw: {}."
DRAW_STYLE = "Draw {} in the {} style."

_HELLO = "Hello! Show me a picture, or ask me to draw one."
_ABLE = "I name small pictures, answer questions about them, and draw."
_SELF = "I am nano, a very small model that names and draws pictures."
_ANSWERS = {  # what several people may say means the same
    _HELLO: ("Hello!", "hi", "hello", "Hi!", "Hey", "hey there", "Good morning!", "Good evening", "Hello there!"),
    _ABLE: ("What can you do?", "what can you do", "help", "Help!", "How can you help me?", "What are you good at?"),
    _SELF: ("Who are you?", "Hello, who are you?", "What are you?", "what is your name?", "Are you a human?"),
    "You are welcome.": ("Thank you!", "thanks", "Thanks a lot!", "thank you very much"),
    "Fine, thank you. Show me a picture!": ("How are you?", "how are you", "How do you do?"),
    "Goodbye!": ("Bye!", "bye", "Goodbye!", "See you!"),
    "Yes. Say what I should draw.": ("Can you draw?", "can you make pictures?", "Can you draw something?"),
    "Yes. Show me a picture and ask what it is.": ("Can you see?", "can you see pictures?", "Can you read pictures?"),
    "I know only pictures and their names.": ("Tell me a story.", "What is the weather?", "Write code.", "Why?"),
    "Bonjour ! Montre-moi une image.": ("Bonjour !", "bonjour", "Salut"),
    "Je nomme de petites images et je dessine.": ("Que sais-tu faire ?", "Qui es-tu ?"),
    "¡Hola! Enséñame una imagen.": ("¡Hola!", "hola", "Buenos días"),
    "Nombro imágenes pequeñas y dibujo.": ("¿Qué sabes hacer?", "¿Quién eres?"),
    "Hallo! Zeig mir ein Bild.": ("Hallo!", "hallo", "Guten Tag"),
    "Ich benenne kleine Bilder und zeichne.": ("Was kannst du?", "Wer bist du?"),
    "Ciao! Mostrami un'immagine.": ("Ciao!", "ciao", "Buongiorno"),
    "Do il nome a piccole immagini e disegno.": ("Che cosa sai fare?", "Chi sei?"),
}
SMALL_TALK = tuple((said, answer) for answer, ways in _ANSWERS.items() for said in ways)

OPPOSITES = (
    ("up", "down"), ("left", "right"), ("open", "closed"), ("black", "white"), ("man", "woman"), ("boy", "girl"),
    ("locked", "unlocked"), ("increasing", "decreasing"), ("hot", "cold"), ("sunrise", "sunset"),
    ("smiling", "frowning"), ("full", "new"), ("low", "high"), ("men", "women"), ("first", "last"), ("old", "young"),
    ("big", "small"), ("day", "night"), ("happy", "sad"), ("departure", "arrival"), ("outbox", "inbox"),
    ("leftwards", "rightwards"), ("upwards", "downwards"), ("raised", "lowered"), ("dim", "bright"),
)  # fmt: skip
OPPOSITE = {**dict(OPPOSITES), **{b: a for a, b in OPPOSITES}}

_HEAD_ENDS = re.compile(
    r" (?:with|without|of|in|on|at|from|and|behind|for|showing|over|under|wearing|done|not|[a-z]+ing)\b.*|[:,].*"
)
_SINGULAR_S = re.compile(r"(?:ss|us|is|ics|lens|gas|atlas|ceros|chess)$")
_UNCOUNTABLE = """
    people men women children rice bread salt butter sushi oden garlic fire water milk sake money fog ice wood soap
    popcorn broccoli bacon spaghetti tennis bowling badminton lacrosse hockey golf camping cooking mate dna football
    baseball softball basketball volleyball litter smoking hair blood lightning rain snow wind weather music luggage
    claim control grass gold silver cheese chocolate coffee tea ginger"""
_NO_ARTICLE = frozenset(_UNCOUNTABLE.split())
_VOWEL_SOUND = re.compile(r"(?:[aio](?!ne\b|nce\b)|e(?!u|we)|u(?!ni|til|se|r[io])|hour|honest|heir|[AEIO])")


@cache
def phrase(label: str) -> str:
    """A name as one says it: ``red heart`` -> ``a red heart``, ``flag: France`` -> ``the flag of France``.

    Different labels give different phrases, so a phrase can stand for its label.
    """
    if label.startswith("flag: "):
        return f"the flag of {label.removeprefix('flag: ')}"
    if label.startswith("keycap: "):
        return f"the key {label.removeprefix('keycap: ')}"
    head = _HEAD_ENDS.sub("", label).split(" ")[-1] or label
    first = label.split(" ")[0]
    plural = head.endswith("s") and not _SINGULAR_S.search(head) and "’" not in head
    proper = first.istitle() and label.split(" ")[-1].istitle()
    bare = head.lower() in _NO_ARTICLE or not label[:1].isalpha() or label.endswith(("o’clock", "-thirty"))
    if plural or proper or bare:
        return label
    return f"{'an' if _VOWEL_SOUND.match(label) else 'a'} {label}"


def definite(label: str) -> str:
    """``the red heart``: the name when one of several is meant."""
    said = phrase(label)
    bare = re.sub(r"^(?:an?|the) ", "", said)
    return f"the {bare}"


def described(label: str, colour: str, random: Random) -> str:
    """``banana`` -> ``a yellow banana``, ``a small banana`` or ``the banana``."""
    way = random.random()
    if label.startswith(("flag: ", "keycap: ")):
        return phrase(label)
    if way < 0.2:
        return definite(label)
    adjective = colour if colour and way < 0.7 else random.choice(ADJECTIVES)
    bare = re.sub(r"^(?:an?|the) ", "", phrase(label))
    if bare == phrase(label):
        return f"{adjective} {bare}"
    return f"{'an' if _VOWEL_SOUND.match(adjective) else 'a'} {adjective} {bare}"


def category_words(category: str) -> str:
    """``animals-nature`` -> ``animals and nature``."""
    return category.replace("&", "and").replace("-", " and ").replace("_", " ").strip()


def style_words(style: str) -> str:
    return style.replace("-", " ")
