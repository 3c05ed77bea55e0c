"""The recipe of moods on made-up drawings, ratings and sentences."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from recipes.mood import evaluate, faces, heard, reviews
from recipes.mood.baselines import CountedWords, rated
from recipes.mood.moods import MOOD_OF_ROOT, MOODS, POLARITIES, side_of
from recipes.mood.sentences import Sentence, Sentences, feeling, read_adjectives, read_ratings, words_for
from recipes.pictograms.concepts import Concepts, Gallery, Picture
from recipes.pictograms.phrases import phrase
from recipes.scenes.thoughts import ASK, MARK
from recipes.speech.texts import Name, Texts

from sensorium.engines import Scored
from sensorium.evaluate import Results
from sensorium.types import InputError, Part, Reply

ROOTS = ("grinning face", "crying face", "angry face", "neutral face", "robot")
STYLES = {"noto": "noto", "twemoji": "twemoji", "openmoji": "openmoji"}
PICTURES = [
    Picture(
        medium=number, label=root, group=root, category="smileys-emotion", family=family, style=style,
        split="val" if root == "neutral face" else "train", held_out=family == "openmoji",
    )
    for number, (root, (style, family)) in enumerate((root, one) for root in ROOTS for one in STYLES.items())
]  # fmt: skip
CONCEPTS = Concepts(PICTURES)
RATED = {"lovely": 2.8, "bright": 1.9, "dull": -1.7, "bad": -2.5, "wonderful": 2.7, "nasty": -2.6, "terrible": -2.1}
EXAMPLES = [
    "a lovely old song", "not a lovely song", "lovely but dull", "the box is here", "a wonderful view",
    "dull and terrible", "so dull a book", "a bad investment",
]  # fmt: skip
SENTENCES = Sentences(
    RATED, [*RATED, "wooden", "happy"], Texts([Name(names={"en": "cat", "es": "gato"}, split="train")], EXAMPLES)
)


def quiet():
    return Results(say=lambda line: None)


def test_no_face_and_no_word_is_of_two_moods():
    assert len(MOOD_OF_ROOT) == sum(len(mood.faces) for mood in MOODS.values())
    words = [word for mood in MOODS.values() for word in mood.words]
    assert len(words) == len({*words})
    assert {mood.polarity for mood in MOODS.values()} == {*POLARITIES}
    assert all(words_for(mood, side) for mood in MOODS for side in ("train", "test"))


def test_words_that_begin_alike_lie_on_one_side():
    assert side_of("terrible") == side_of("terribly") == side_of("terrified")
    assert side_of("worthy") == side_of("unworthy")
    assert {side_of(mood) for mood in MOODS} == {"train"}


def test_faces_that_may_be_trained_on_are_asked_about_evenly():
    trained = {one.medium: MOOD_OF_ROOT[one.group] for one in PICTURES if one.trainable and one.group in MOOD_OF_ROOT}
    said: Counter[str] = Counter()
    for seed in range(400):
        messages = faces.mood(CONCEPTS, Random(seed)).messages
        shown = [trained[part.data] for part in messages[0].parts if not part.is_text]
        for asked, answer in zip(messages[::2], messages[1::2], strict=True):
            if asked.text in faces.ASK_MOOD:
                assert answer.text == shown[0]
            elif asked.text in faces.ASK_POLARITY:
                assert answer.text == MOODS[shown[0]].polarity
            elif len(shown) == 2:
                assert answer.text == ("yes" if shown[0] == shown[1] else "no")
            else:
                assert (answer.text == "yes") == (f" {shown[0]}?" in asked.text)
                said[answer.text] += 1
    assert 0.4 < said["yes"] / said.total() < 0.6


def concluded(question: str, thought: str) -> str:
    """What somebody answers who reads the thought alone."""
    if "; " in thought:
        one, other = thought.rsplit("; ", 1)[1].split(" and ")
        return "yes" if one == other else "no"
    if ", asked " in thought:
        found, asked = thought.rsplit(": ", 1)[1].split(", asked ")
        assert f" {asked}?" in question
        return "yes" if found == asked else "no"
    return thought.rsplit(": ", 1)[1].rsplit(", ", 1)[-1]


def test_what_is_thought_about_a_face_names_it_and_leads_to_the_answer():
    labels, kinds = {one.medium: phrase(one.label) for one in PICTURES}, Counter[str]()
    for seed in range(200):
        messages = faces.mood(CONCEPTS, Random(seed), thinking=1.0).messages
        shown = [labels[part.data] for part in messages[0].parts if not part.is_text]
        for asked, said in zip(messages[::2], messages[1::2], strict=True):
            thought, answer = said.text.split(f". {MARK} ")
            assert asked.text.endswith(f" {ASK}") and all(f"{name}: " in thought for name in shown)
            assert concluded(asked.text, thought) == answer
            kinds["polarity" if answer in POLARITIES else "yes or no" if answer in ("yes", "no") else "mood"] += 1
    assert len(kinds) == 3
    share = np.mean([ASK in faces.mood(CONCEPTS, Random(seed), 0.5).messages[0].text for seed in range(200)])
    assert 0.4 < share < 0.6


def test_what_is_thought_about_a_sentence_is_heard_in_it():
    for seed in range(200):
        made = heard.mood(SENTENCES, lambda words: Part("audio", data=words), Random(seed), thinking=1.0).messages
        for asked, said in zip(made[::2], made[1::2], strict=True):
            thought, answer = said.text.split(f". {MARK} ")
            words, _ = thought.split(": ")
            assert words == heard.NOTHING or all(word in made[0].parts[0].data for word in words.split())
            assert (words == heard.NOTHING) == (thought == "nothing: neutral")
            assert concluded(asked.text, thought) == answer


def test_sentences_keep_to_their_side_and_to_what_their_words_are_rated():
    for side in ("train", "test"):
        for number in range(200):
            one = SENTENCES.pick(Random(number), side)
            rated_words = [word for word in one.text.lower().strip(".!").split() if word in RATED]
            assert {side_of(word) for word in rated_words} <= {side}
            if one.mood:
                assert MOODS[one.mood].polarity == one.polarity
            elif not rated_words:
                assert one.polarity == "neutral"
            elif " not " not in one.text:
                assert rated(SENTENCES, one.text) == one.polarity
            else:
                assert one.polarity == "negative"


def test_an_example_whose_words_disagree_or_are_turned_is_left_out():
    kept = {text for texts in SENTENCES.examples.values() for text in texts}
    assert "a wonderful view" in kept and not {"not a lovely song", "lovely but dull", "the box is here"} & kept


def test_what_is_heard_is_asked_about(monkeypatch):
    made = [heard.mood(SENTENCES, lambda words: Part("audio", data=words), Random(seed)) for seed in range(100)]
    assert all(one.messages[0].parts[0].data.islower() for one in made)
    answers = {message.text for one in made for message in one.messages[1::2]}
    assert {*POLARITIES, "yes", "no"} < answers <= {*POLARITIES, *MOODS, "yes", "no"}


def test_the_lexicon_is_read_where_people_agreed(tmp_path):
    (tmp_path / "lexicon").write_text("good\t1.9\t0.9\t[2]\n:)\t2.0\t0.4\t[2]\nodd\t-1.3\t2.1\t[1]\n", encoding="utf-8")
    assert read_ratings(tmp_path / "lexicon") == {"good": 1.9}


def test_adjectives_are_those_that_occur(tmp_path):
    folder = tmp_path / "usr" / "share" / "wordnet"
    folder.mkdir(parents=True)
    lines = ["  1 licence", "abject a 3 1 & 3 2 001 002 003", "abatable a 1 2 & + 1 0 001", "ill-fed a 1 0 1 1 001"]
    (folder / "index.adj").write_text("\n".join(lines) + "\n", encoding="latin-1")
    assert read_adjectives(tmp_path) == ["abject"]


def test_reviews_are_short_and_without_digits(tmp_path):
    rows = [
        {"text": "Loved it.", "class": 1},
        {"text": "2 hours of my life.", "class": 0},
        {"text": "x" * 99, "class": 0},
    ]
    (tmp_path / "shop.json").write_text(json.dumps(rows), encoding="utf-8")
    assert reviews.read(tmp_path / "shop.json") == [Sentence(text="Loved it.", polarity="positive")]


def test_baselines_know_what_they_counted():
    made = [Sentence(text=text, polarity=said) for text, said in (("so lovely", "positive"), ("so dull", "negative"))]
    assert CountedWords(made).best("a dull day", POLARITIES[:2]) == "negative"
    assert [rated(SENTENCES, text) for text in ("lovely", "not at all lovely", "a box")] == [*POLARITIES]


class Knowing:
    """Knows what it was taught by heart, when it sees or hears it."""

    def __init__(self, known):
        self.known = known
        self.codecs = {evaluate.WORDS: SimpleNamespace(cut=lambda text: np.frombuffer(text.encode(), np.uint8))}

    def rank(self, prompt, answers, count, adapter):
        best = self._said(prompt)
        return [Scored(index, 0.0) for index in sorted(range(len(answers)), key=lambda at: answers[at] != best)[:count]]

    def chat(self, prompt, **how):
        return Reply((Part("text", data=self._said(prompt)),))

    def _said(self, prompt):
        shown = [part for part in prompt.parts() if not part.is_text]
        key = (shown[0].data if shown[0].codes is None else shown[0].codes).tobytes() if shown else b""
        polar = "positive" in prompt.messages[0].text
        mood = self.known.get(key, "")
        return MOODS[mood].polarity if polar and mood else mood


def test_a_model_that_knows_faces_is_told_from_its_controls():
    pixels = np.stack([np.full((64, 64, 3), 10 * number, np.uint8) for number in range(len(PICTURES))])
    gallery = Gallery(PICTURES, pixels)
    shown = evaluate.held_out(gallery)
    assert [one.label for one in shown] == ["grinning face", "crying face", "angry face"]
    assert {one.label for one in evaluate.unseen(gallery)} == {"neutral face"}
    model = Knowing({pixels[one.medium].tobytes(): MOOD_OF_ROOT[one.group] for one in shown})
    evaluate.tell_faces(results := quiet(), model, gallery, shown, "here", 0)
    assert results.value("mood of a face, here, top-1").hits == 3
    assert results.value("polarity of a face, here, written freely").hits == 3
    assert results.value("mood of a face, here, top-1", "another's medium").hits == 0
    assert results.value("mood of a face, here, top-1", "a white picture").hits < 3
    assert results.value("mood of a face, here, top-1", "nearest neighbour on pixels").hits < 3
    assert results.value("is it this mood, here, top-1").count == 6


def test_moods_thought_about_are_held_against_answers_at_once():
    pixels = np.stack([np.full((64, 64, 3), 10 * number, np.uint8) for number in range(len(PICTURES))])
    gallery = Gallery(PICTURES, pixels)
    shown = evaluate.held_out(gallery)
    known = {pixels[one.medium].tobytes(): MOOD_OF_ROOT[one.group] for one in shown}

    def chat(prompt, **how):
        *media, asked = prompt.messages[0].parts
        mood = known[media[0].data.tobytes()]
        answer = mood if "What" in asked.data else "yes" if f" {mood}?" in asked.data else "no"
        return SimpleNamespace(text=f"a face: {mood}. {MARK} {answer}" if asked.data.endswith(ASK) else answer[::-1])

    asked = evaluate.picture_tasks(["faces"], gallery, shown, "here", 4, 0)
    evaluate.think(results := quiet(), SimpleNamespace(chat=chat), [asked[0], asked[2]])
    for name, count in (("mood of a face", 3), ("is it this mood", 6)):
        assert results.value(f"{name}, here, thinking").hits == results.value(f"{name}, here, thinking").count == count
        assert results.value(f"{name}, here, at once").hits == 0
        assert results.value(f"{name}, here, thinking", "another's medium").hits < count
    pairs, sentences = evaluate.picture_tasks(["pairs"], gallery, shown[:1] * 2 + shown, "here", 2, 0), Knowing({})
    told = [
        one.task
        for ask in evaluate.TOLD.values()
        if ask is not evaluate.of_reviews
        for one in ask(sentences, SENTENCES, 3, 0)
    ]
    evaluate.think(results, SimpleNamespace(chat=lambda prompt, **how: SimpleNamespace(text=f"{MARK} negative")), told)
    assert [one.name for one in pairs] == ["the same mood, here"]
    assert results.value("polarity of a sentence, templates, held-out words, thinking").hits > 0


def test_who_is_asked_whether_it_is_another_mood_sees_another_face_next():
    gallery = Gallery(PICTURES, np.arange(len(PICTURES), dtype=np.uint8)[:, None, None, None].repeat(3, 3))
    (*_, whether) = evaluate.face_tasks(gallery, evaluate.held_out(gallery), "here", 0)
    own, others = (
        [one.messages[0].parts[0].data.item(0) for one in view.conversations] for view in (whether, whether.wrong())
    )
    assert whether.truths == ["yes", "no"] * 3 and not any(map(int.__eq__, own, others))


def test_pairs_are_the_same_as_often_as_not():
    pictures = [one for one in PICTURES if one.held_out or one.style == "noto"]
    gallery = Gallery(PICTURES, np.zeros((len(PICTURES), 64, 64, 3), np.uint8))
    shown = [one for one in pictures if one.group in MOOD_OF_ROOT]
    evaluate.tell_pairs(results := quiet(), Knowing({}), gallery, shown, "here", 10, 0)
    assert results.value("the same mood, here, top-1", "always 'yes'").hits == 5


def test_a_model_that_hears_is_told_from_its_controls():
    said = [feeling(Random(seed), "test") for seed in range(400)]
    model = Knowing({one.text.lower().strip(".").replace(",", "").encode(): one.mood for one in said})
    results = quiet()
    for asked in evaluate.feelings(model, SENTENCES, 20, 0):
        evaluate.tell(results, model, SENTENCES, asked)
    assert results.value("mood of a speaker, held-out words, top-1", "another's medium").hits == 0
    assert results.value("mood of a speaker, held-out words, top-1", "the base, reading the text").count == 20
    for asked in evaluate.held_out_words(model, SENTENCES, 4, 0):
        evaluate.tell(results, model, SENTENCES, asked)
    name = "polarity of a sentence, templates, held-out words, top-1"
    assert results.value(name, "the lexicon itself").value > 0.8


def test_a_model_that_hears_nothing_and_a_measure_that_is_not_are_refused(tmp_path):
    with pytest.raises(InputError, match="ask only about faces"):
        evaluate.feelings(SimpleNamespace(codecs={}), SENTENCES, 2, 0)
    with pytest.raises(InputError, match="no measure 'smell'"):
        evaluate.evaluate("smol", tmp_path, only=["smell"])
