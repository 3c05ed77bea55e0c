"""The recipe motion: facts as pixels have them, what is held out, what cannot be guessed, drawings that move."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from recipes.motion import animated, judge
from recipes.motion.clips import DURATION_S, FRAMES, RATE_HZ, Clip, done
from recipes.motion.held_out import clip_side, pair_side
from recipes.motion.makers import ENDS, MORE, SHARES, WISHES, episode, makers
from recipes.motion.moved import moved
from recipes.motion.questions import ANIMATED, MOVED, of_moved
from recipes.motion.subtitles import subtitles
from recipes.motion.tasks import ANSWERS, tasks
from recipes.scenes.atlas import Atlas
from recipes.scenes.evaluate import thinks
from recipes.scenes.thoughts import MARK

from sensorium.data import read_conversations
from sensorium.data.facts import Event, Facts, Medium, Thing, read_facts
from sensorium.evaluate import Results
from sensorium.modalities import modality
from sensorium.recipe import conversations
from sensorium.recipe.command import main
from sensorium.types import InputError

ATLAS = Atlas()
BLIND = {"acts": 0.35, "direction": 0.4, "who": 0.1, "when": 0.35, "does": 0.65, "happens": 0.1,
         "subtitles": 0.1}  # fmt: skip
"""What somebody may get right who knows all questions and answers of others, and does not look."""


@cache
def clips(side: str, count: int = 120) -> tuple[Clip, ...]:
    return tuple(moved(Random(f"test:{number}"), side, ATLAS) for number in range(count))


# --- what is true


def test_nothing_changes_but_when_and_where_an_event_says():
    for clip in clips("train"):
        changed = (np.diff(clip.frames.astype(int), axis=0) != 0).any(-1)  # of frame n + 1 against frame n
        allowed = np.zeros_like(changed)
        for event in clip.facts.events:
            thing = clip.facts.things[event.subject]
            for frame in range(FRAMES - 1):
                t0, t1 = frame / RATE_HZ, (frame + 1) / RATE_HZ
                if t1 < event.start_s or t0 > event.end_s:
                    continue
                for x0, y0, x1, y1 in filter(None, (thing.box_at(t0), thing.box_at(t1))):
                    allowed[frame, int(y0) : int(y1), int(x0) : int(x1)] = True
        assert not (changed & ~allowed).any()
        assert changed.any()


def test_what_moves_goes_where_the_facts_say():
    ways = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    seen = set()
    for clip in clips("train"):
        for event in clip.facts.events:
            if event.what == "moves" and len(clip.facts.things) == 1:
                ground = clip.frames[0, 0, 0].astype(int)
                centres = [np.argwhere((f != ground).any(-1)).mean(0) for f in (clip.frames[0], clip.frames[-1])]
                dy, dx = np.sign(np.round(centres[1] - centres[0]))
                assert (dx, dy) == ways[event.direction]
                seen.add(event.direction)
    assert seen == set(ways)


# --- what is held out


@pytest.mark.parametrize("side", ["train", "val", "test"])
def test_a_side_shows_its_own_combinations_and_those_of_train(side):
    for clip in clips(side, 40):
        sides = {pair_side(clip.facts.things[event.subject].name, done(event)) for event in clip.facts.events}
        assert side in sides and sides <= {"train", side}
        assert clip_side(clip.facts) == clip.facts.split == side


def test_training_shows_every_thing_and_every_motion():
    shown = {(clip.facts.things[e.subject].name, done(e)) for clip in clips("train") for e in clip.facts.events}
    for clip in clips("test", 40):
        for event in clip.facts.events:
            assert clip.facts.things[event.subject].name in {thing for thing, _ in shown}
            assert done(event) in {doing for _, doing in shown}


# --- what is asked


@pytest.mark.parametrize("kind", list(BLIND))
def test_no_answer_can_be_guessed_from_the_question(kind):
    found = []
    for number in range(5):
        for clip in clips("train"):
            talk = of_moved(kind, clip.facts, "train", ATLAS, Random(f"{number}:{kind}:{len(found)}"))
            if talk is not None:
                found.append((talk.said, talk.answer))
    Random(0).shuffle(found)
    assert len(found) > 100
    assert max(guessed(found, True), guessed(found, False)) <= BLIND[kind]


def guessed(found: list[tuple[str, str]], by_text: bool) -> float:
    """Share of the second half that is right when the first half's most frequent answer is given, things apart."""
    known: dict[str, Counter[str]] = defaultdict(Counter)
    key = {
        said: re.sub(r"\bthe .*? (do|move|start|appear|vanish|grow|shrink|turn)\b", r"it \1", said) for said, _ in found
    }
    for said, answer in found[::2]:
        known[key[said] if by_text else ""][answer] += 1
    best = {text: counts.most_common(1)[0][0] for text, counts in known.items()}
    return float(np.mean([best.get(key[said] if by_text else "") == answer for said, answer in found[1::2]]))


def test_ends_that_are_asked_for_come_at_any_time_alike():
    ends = Counter(episode("until", Random(number), "train", ATLAS, more=0).talks[0].answer for number in range(30))
    assert set(ends) == set(ENDS) and max(ends.values()) < 14


def test_the_same_seed_makes_the_same_conversations_and_number_i_depends_on_i_only():
    shares = {"acts": 1, "write": 1, "subtitles": 1}
    made = [one.messages for one in conversations(makers("train", ATLAS), shares, 8, seed=1)]
    assert made == [one.messages for one in conversations(makers("train", ATLAS), shares, 8, seed=1)]
    assert made[5:] == [one.messages for one in conversations(makers("train", ATLAS), shares, 3, seed=1, start=5)]


def test_a_wish_is_fulfilled_by_the_clip_that_answers_it():
    made = episode("write", Random(4), "train", ATLAS)
    ask, answer = made.conversation.messages
    for event in made.clip.facts.events:
        assert f"{made.clip.facts.things[event.subject].name} {done(event)}" in ask.text
    assert answer.parts[0].data.array.shape == (FRAMES, 64, 64, 3) and answer.parts[0].data.rate_hz == RATE_HZ


def test_a_kind_that_is_unknown_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="no clips are made for 'taste'; there are acts, "):
        episode("taste", Random(0), "train", ATLAS)


FACTS = Facts(
    medium=Medium(modality="video", path="x", width_px=64, height_px=64, duration_s=2, rate_hz=8),
    things=(Thing(name="star", attributes={"colour": ("red",)}), Thing(name="ring")),
    events=(
        Event(subject=0, what="moves", direction="left", start_s=0.5, end_s=1.75),
        Event(subject=1, what="appears", start_s=0.25, end_s=0.25),
    ),
)


def test_subtitles_in_both_forms():
    told = lambda event: FACTS.things[event.subject].name  # noqa: E731
    assert subtitles(FACTS, "SRT", told) == (
        "1\n00:00:00,250 --> 00:00:00,500\nring\n\n2\n00:00:00,500 --> 00:00:01,750\nstar\n"
    )
    assert subtitles(FACTS, "WebVTT", told).startswith("WEBVTT\n\n00:00:00.250 --> 00:00:00.500\nring\n\n00:")
    talk = of_moved("subtitles", FACTS, "train", ATLAS, Random(0))
    assert talk is not None and "A red star moves left" in talk.answer


# --- drawings that move

FOR_EVER = 'dur="1s" repeatCount="indefinite"'
TURN = f'<animateTransform attributeName="transform" type="rotate" values="0 5 5;90 5 5" {FOR_EVER}/>'
FALL = (
    '<animateTransform id="q" begin="0s; x1.end+.2s" attributeName="transform" type="translate" values="0 -3;0 3" '
    'dur=".5s"/><animate attributeName="opacity" values="0;1;0" dur=".5s"/>'
)
DRAWN = '<animate fill="freeze" attributeName="stroke-dashoffset" dur="0.5s" values="18;0"/>'
BODY = '<path d="M1 5h8v3h-8z" stroke="#000" stroke-dasharray="18">{}</path>'
ICONS = {"wheel-loop": TURN, "rain": FALL, "line-twotone": DRAWN, "both": TURN + FALL, "a-to-b-transition": DRAWN,
         "still": "", "facebook": DRAWN, "one-two-three-four": DRAWN}  # fmt: skip


@pytest.fixture
def icons(monkeypatch):
    made = {"width": 10, "height": 10, "icons": {name: {"body": BODY.format(body)} for name, body in ICONS.items()}}
    monkeypatch.setattr(animated, "SOURCES", animated.SOURCES[:1])
    monkeypatch.setattr(animated, "read_icons", lambda package: (made, {}))
    monkeypatch.setattr(animated, "split_of", lambda *_: "train")
    animated.animated.cache_clear()
    yield
    animated.animated.cache_clear()


def test_drawings_of_which_one_thing_can_be_said_are_taken(icons):
    found = {one.label: (done(one.event), one.event.end_s) for one in animated.animated("train")}
    assert found == {"wheel": ("turns", DURATION_S), "rain": ("moves down", DURATION_S), "line": ("is drawn", 0.5)}
    assert animated.animated("test") == ()


def test_an_animated_drawing_does_what_its_facts_say(icons):
    pytest.importorskip("resvg_py")
    by = {one.label: one.clip() for one in animated.animated("train")}
    ink = [int((frame < 128).any(-1).sum()) for frame in by["line"].frames]
    assert ink[0] < ink[2] < ink[4] == ink[-1], "drawn until half a second, then it stays"
    rain = by["rain"].frames
    assert (rain[9] != rain[12]).any(), "it goes on though Iconify lost the name that it refers to"
    made = episode("doing", Random(1), "train", ATLAS)
    assert made.talks[0].said == "What does it do?" and made.talks[0].answer in (
        "It turns.",
        "It moves down.",
        "It is drawn.",
    )


# --- what is written, and what evaluation asks


def test_the_command_writes_clips_facts_and_conversations_once(tmp_path, capsys):
    out = tmp_path / "motion"
    words = ["data", "--train", "6", "--val", "1", "--test", "3", "--no-animated", "--no-drawings", "--out", str(out)]
    find = lambda name: __import__("recipes.motion.recipe", fromlist=["RECIPE"]).RECIPE  # noqa: E731
    assert main(["motion"], find, ["motion", *words]) == 0
    facts = list(read_facts(out / "test" / "facts.jsonl"))
    talks = list(read_conversations(out / "test" / "conversations.jsonl"))
    assert len(facts) == len(talks) == 3
    for one in facts:
        clip = modality("video").open(out / "test" / one.medium.path)
        assert clip.array.shape == (FRAMES, 64, 64, 3) and one.split == "test"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.gif")}
    assert main(["motion"], find, ["motion", *words]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.gif")}
    assert main(["motion"], find, ["motion", *words, "--seed", "1"]) == 2
    assert "holds clips made with other options" in capsys.readouterr().err


class Oracle:
    """Knows the right answer by the clip and the words of a question."""

    def __init__(self, task):
        self.known = {self._key(one.messages[:-1]): one.messages[-1].text for one in task.conversations}

    def _key(self, messages) -> tuple:
        return tuple(part.data if part.is_text else part.array.tobytes() for m in messages for part in m.parts)

    def rank(self, prompt, answers, wanted, adapter):
        return [SimpleNamespace(index=answers.index(self.known[self._key(prompt.messages)]))]


def test_tasks_ask_of_what_is_held_out_and_every_answer_can_be_chosen():
    for task in tasks("test", ATLAS, 8, seed=2, kinds=tuple(ANSWERS)):
        assert all(verdict.right for verdict in task.run(Oracle(task), Results()))
        assert set(task.truths) <= set(ANSWERS[task.name])
        if task.name == "does":
            assert Counter(task.truths) == {"yes": 4, "no": 4}


def test_subtitles_are_judged_cue_by_cue_and_whole():
    (task,) = tasks("test", ATLAS, 6, seed=2, kinds=["subtitles"])

    def saying(change):
        told = {id(one): change(text) for one, text in zip(task.conversations, task.truths, strict=True)}
        given = iter(told.values())
        return SimpleNamespace(chat=lambda prompt, **how: SimpleNamespace(text=next(given)))

    def measured(change) -> tuple[float, float]:
        whole, cues = task.scorer.values(task.scorer.judge(saying(change), task.conversations))
        assert cues[1].count >= whole[1].count == 6
        return whole[1].value, cues[1].value

    assert measured(lambda text: f"{text}\n") == (1, 1)
    assert measured(lambda text: text.replace("00:0", "00:1")) == (0, 0), "other times"
    assert measured(lambda text: text.replace("WEBVTT\n\n", "").replace("1\n00", "7\n00")) == (0, 1), "cues alone"
    assert measured(lambda text: "A red star moves left") == (0, 0)


def test_subtitles_behind_a_thought_are_judged_alone():
    plain, thought = (
        tasks("test", ATLAS, 6, seed=2, kinds=["subtitles"], thinking=first)[0] for first in (False, True)
    )
    right = {id(one): text for one, text in zip(thought.conversations, thought.truths, strict=True)}
    assert [text.split(f"{MARK} ")[1] for text in right.values()] == plain.truths

    def cues(change) -> float:
        given = iter(right.values())
        model = SimpleNamespace(chat=lambda prompt, **how: SimpleNamespace(text=change(next(given))))
        return thought.scorer.values(thought.scorer.judge(model, thought.conversations))[1][1].value

    assert cues(lambda text: text) == cues(lambda text: f"I see. {MARK} {text.split(MARK)[1]}") == 1
    assert cues(lambda text: text.split(MARK)[1]) == 0, "no mark, no answer"


def test_what_is_told_at_once_is_judged_as_subtitles_too():
    at_once, thought = (tasks("test", ATLAS, 4, kinds=["subtitles"], thinking=first) for first in (False, True))
    oracles = [Oracle(task) for task in (*at_once, *thought)]
    known = {key: said for oracle in oracles for key, said in oracle.known.items()}

    def chat(prompt, **how):
        return SimpleNamespace(text=known.get(oracles[0]._key(prompt.messages), ""))

    thinks(SimpleNamespace(chat=chat), at_once, thought, results := Results(say=lambda line: None))
    assert results.value("subtitles, at once, cues").value == results.value("subtitles, thinking, cues").value == 1


def test_the_judge_keeps_what_it_learned(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    made = judge.train(1, count=12, steps=2)
    shown, labels = judge.labelled("test", "judged", 3)
    assert judge.load().ranks(list(shown), labels) == made.ranks(list(shown), labels)


@pytest.mark.slow
def test_a_judge_learns_to_tell_motions(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    made = judge.train(1, count=1500, steps=300)
    assert judge.accuracy(made, 100).value > 0.4


@pytest.mark.slow
def test_the_whole_way_from_clips_to_a_model_that_is_measured(tmp_path, monkeypatch):
    """Far too short to learn anything; every step runs and says what it should."""
    from recipes.motion import codec, model
    from recipes.motion.evaluate import measure

    import sensorium as sm

    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    monkeypatch.setattr(model, "TEXTS", 60)
    shares = {"acts": 1, "direction": 1, "write": 1, "subtitles": 1}
    stage = replace(model.STAGE, conversations=12, minutes=0.05, shares=shares)
    monkeypatch.setattr(model, "STAGE", stage)
    assert codec.train(0.05, count=12).facts.grid == (None, 4, 4)
    judge.train(1, count=12, steps=2)
    plan = replace(model.FILM, stages=[stage], rows=2, out=tmp_path / "film")
    plan.run(say=lambda line: None)
    found = measure(sm.load(plan.write(None, None, "")), "test", ATLAS, 2, 2)
    rows = {(row["measure"], row["condition"]) for row in found.to_json()["rows"]}
    assert {("direction, top-1", "no clip"), ("clip, judged top-1", "a real clip")} <= rows


def test_shares_name_every_kind():
    assert set(SHARES) == {*MOVED, *ANIMATED, *WISHES} and len(MOVED) > MORE
