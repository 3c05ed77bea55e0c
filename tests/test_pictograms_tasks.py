"""The pictograms recipe's tasks on a small made-up table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from recipes.pictograms import phrases, tasks
from recipes.pictograms.concepts import Concepts, Picture
from recipes.pictograms.phrases import phrase
from recipes.pictograms.questions import Attribute, ask, attributes

from sensorium.modalities.drawings import main_colour
from sensorium.types import InputError

NAMES = {
    "red heart": {"fr": "cœur rouge", "es": "corazón rojo", "de": "rotes Herz", "it": "cuore rosso"},
    "cat": {"fr": "chat", "es": "gato", "de": "Katze", "it": "gatto"},
}
LABELS = {
    "red heart": "smileys-emotion",
    "blue heart": "smileys-emotion",
    "crying face": "smileys-emotion",
    "cat": "animals-nature",
    "dog": "animals-nature",
    "left arrow": "symbols",
    "right arrow": "symbols",
    "flag: France": "flags",
    "secret owl": "animals-nature",
    "waving hand": "people-body",
}
STYLES = {"noto": "noto", "fluent-flat": "fluent", "twemoji": "twemoji", "openmoji": "openmoji"}


def make_pictures() -> list[Picture]:
    rows = [
        {"label": label, "category": category, "family": family, "style": style, "toned": toned}
        for label, category in LABELS.items()
        for style, family in STYLES.items()
        if not (style == "fluent-flat" and label == "dog")
        for toned in ([False, True, True] if label == "waving hand" else [False])
    ]
    return [
        Picture(
            medium=number, group=row["label"], split="test" if row["label"] == "secret owl" else "train",
            held_out=row["family"] == "openmoji", names=NAMES.get(row["label"], {}),
            tags=(row["label"], "tag", "thing", "small"), **row,
        )
        for number, row in enumerate(rows)
    ]  # fmt: skip


PICTURES = make_pictures()
CONCEPTS = Concepts(PICTURES)


def texts(conversation) -> str:
    return "|".join(part.data for part in conversation.parts() if part.is_text)


def media(conversation) -> list[Picture]:
    return [PICTURES[part.data] for part in conversation.parts() if not part.is_text]


def many(count=1500, **shares):
    return list(tasks.conversations(CONCEPTS, count, 3, shares or tasks.SHARES))


def test_only_training_pictures_and_names_appear():
    conversations = many(3000)
    shown = [picture for conversation in conversations for picture in media(conversation)]
    assert shown
    assert all(p.split == "train" and not p.held_out for p in shown)
    assert not any("owl" in texts(conversation) for conversation in conversations)


def test_same_seed_gives_the_same_conversations_and_can_be_continued():
    whole = list(tasks.conversations(CONCEPTS, 30, 5))
    assert whole == list(tasks.conversations(CONCEPTS, 30, 5))
    assert whole[20:] == list(tasks.conversations(CONCEPTS, 10, 5, start=20))
    assert whole != list(tasks.conversations(CONCEPTS, 30, 6))


def test_every_conversation_alternates_and_ends_with_the_assistant():
    for conversation in many():
        roles = [message.role for message in conversation.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) != []
        assert all(message.parts for message in conversation.messages)


def test_reading_answers_are_true_of_the_picture():
    for conversation in many(read=1):
        (picture,) = media(conversation)
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            if question.text in phrases.ASK_NAME["en"]:
                assert answer.text == phrase(picture.label)
            if question.text in phrases.ASK_NAME["fr"]:
                assert answer.text == NAMES[picture.label]["fr"]
            if question.text == "What colour is the heart?":
                assert answer.text == picture.label.split()[0]
            if question.text.startswith("Is this "):
                assert (answer.text == "yes") == (question.text == f"Is this {phrase(picture.label)}?")


def test_drawings_keep_to_the_default_style_unless_a_style_is_named():
    for conversation in many(draw=1):
        (picture,) = media(conversation)
        prompt = conversation.messages[0].text
        assert conversation.messages[1].parts[0].data == picture.medium
        default = "noto" if picture.label == "dog" else "fluent-flat"
        if " style." in prompt:
            assert picture.style.replace("-", " ") in prompt
        elif prompt not in (phrases.DROPPED, phrases.DRAW_ANYTHING):
            assert picture.style == default


def test_clip_art_is_read_now_and_then_but_hardly_drawn_and_the_nameless_never_used():
    extra = [
        Picture(
            medium=len(PICTURES) + i, family="clip", style="clip", label=label, category="objects", group=label or "x",
            split="train", names={"en": label}, tags=(),
        )
        for i, label in enumerate([*(f"thing {n}" for n in range(40)), ""])
    ]  # fmt: skip
    both = [*PICTURES, *extra]
    concepts = Concepts(both)
    assert "" not in concepts.by_label
    drawn = [c.messages[1].parts[0].data for c in tasks.conversations(concepts, 1000, 0, {"draw": 1})]
    read = [
        next(p.data for p in c.parts() if not p.is_text) for c in tasks.conversations(concepts, 1000, 0, {"read": 1})
    ]
    shares = [sum(both[row].style == "clip" for row in rows) / 1000 for rows in (drawn, read)]
    assert shares[0] < 0.15 < shares[1] < 0.6


def test_about_a_tenth_of_drawing_prompts_is_dropped():
    conversations = many(4000, draw=1)
    dropped = sum(conversation.messages[0].text == phrases.DROPPED for conversation in conversations)
    assert 0.06 < dropped / len(conversations) < 0.12


def test_concepts_not_files_are_sampled_and_tones_are_rare():
    pictures = [picture for conversation in many(4000, read=1) for picture in media(conversation)]
    counts = Counter(picture.label for picture in pictures)
    assert counts["waving hand"] < 1.3 * counts["cat"]
    waving = [picture for picture in pictures if picture.label == "waving hand"]
    assert sum(picture.toned for picture in waving) < 0.15 * len(waving)
    assert "skin tone" not in "".join(counts)


def test_pairs_ask_which_picture_is_which():
    seen = set()
    for conversation in many(pair=1):
        first, second = media(conversation)
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            if question.text.startswith("Which one is"):
                asked = first if answer.text == "the first" else second
                assert question.text == f"Which one is {phrases.definite(asked.label)}?"
                seen.add(answer.text)
            if question.text == "What is the second?":
                assert answer.text == phrase(second.label)
    assert seen == {"the first", "the second"}


def test_text_task_translates_and_swaps_opposites():
    said = {texts(conversation) for conversation in many(text=1)}
    assert "cat in French?|chat" in said
    assert "Katze in English?|cat" in said
    assert "The opposite of a left arrow?|a right arrow" in said


def test_the_main_colour_is_that_of_most_of_the_ink():
    paper = np.full((64, 64, 3), 255, np.uint8)
    assert main_colour(paper) == ""
    for name, rgb in {
        "yellow": (250, 220, 40),
        "red": (220, 30, 30),
        "brown": (120, 70, 30),
        "black": (0, 0, 0),
    }.items():
        drawn = paper.copy()
        drawn[10:40, 10:40] = rgb
        drawn[40:45, 10:40] = (30, 60, 200)
        assert main_colour(drawn) == name
    for row, rgb in enumerate([(250, 220, 40), (30, 60, 200), (30, 200, 60)]):
        paper[row * 20 : row * 20 + 20] = rgb
    assert main_colour(paper) == ""


def test_names_are_described_with_the_colour_of_the_drawing_or_with_what_changes_nothing():
    said = {phrases.described("cat", "orange", Random(seed)) for seed in range(300)}
    assert {"an orange cat", "the cat", "a small cat"} <= said
    assert all(one.endswith(" cat") for one in said)
    assert "grey" not in " ".join(phrases.described("scissors", "", Random(seed)) for seed in range(300))
    yellow = Concepts([replace(picture, colour="yellow") for picture in PICTURES])
    asked = {message.text for seed in range(1500) for message in tasks.draw(yellow, Random(seed)).messages}
    assert "Draw a yellow cat." in asked
    assert not any("yellow" in one and "heart" in one for one in asked), "a red heart is not yellow"


def test_mixed_conversations_change_the_subject():
    mixed = list(tasks.conversations(CONCEPTS, 300, seed=0, shares={"mixed": 1}))
    media = [[message.role for message in one.messages for part in message.parts if not part.is_text] for one in mixed]
    assert sum(set(roles) == {"user", "assistant"} for roles in media) > 100


def test_unknown_task_is_refused():
    with pytest.raises(InputError, match="read, names, draw, pair, text, mixed"):
        list(tasks.conversations(CONCEPTS, 1, 0, {"sing": 1.0}))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("red heart", {("colour", "heart", "red"), ("shape", "", "heart")}),
        ("two hearts", {("number", "hearts", "two")}),
        ("family: man, woman, boy", {("number", "people", "three")}),
        ("three o’clock", {("time", "", "three o’clock")}),
        ("up-right arrow", {("direction", "", "up right"), ("shape", "", "arrow")}),
        ("crying face", {("expression", "face", "crying")}),
        ("woman running: facing right", {("direction", "", "right")}),
        ("orangutan", set()),
        ("flag: Greenland", set()),
        ("starfish", set()),
    ],
)
def test_attributes_are_read_off_the_name(label, expected):
    assert {(a.kind, a.subject, a.value) for a in attributes(label)} == expected


def test_yes_and_no_are_balanced_and_right():
    random, attribute = Random(0), Attribute("colour", "heart", "red")
    answers = [ask(attribute, random) for _ in range(4000)]
    assert all(
        (answer == "yes") == (question == "Is the heart red?") for question, answer in answers if answer != "red"
    )
    counts = Counter(answer for _, answer in answers)
    assert 0.85 < counts["yes"] / counts["no"] < 1.18


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("red heart", "a red heart"), ("orange heart", "an orange heart"), ("eyes", "eyes"), ("bus", "a bus"),
        ("flag: France", "the flag of France"), ("smiling face with sunglasses", "a smiling face with sunglasses"),
        ("unicorn", "a unicorn"), ("umbrella", "an umbrella"), ("Santa Claus", "Santa Claus"),
        ("three o’clock", "three o’clock"), ("bread", "bread"),
    ],
)  # fmt: skip
def test_names_get_their_article(label, said):
    assert phrase(label) == said


def test_most_words_of_the_recipe_are_one_token():
    from recipes.pictograms.tokenizer import corpus

    from sensorium.model.fresh import learn_tokenizer

    tokenizer = learn_tokenizer(corpus(CONCEPTS, texts=300), 600)
    assert len(tokenizer) <= 600
    assert len(tokenizer(" heart")["input_ids"]) == 1
