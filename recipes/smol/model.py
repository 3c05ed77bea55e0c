"""smol: SmolLM2-135M-Instruct with its weights frozen, taught to read pictures, clips and speech, to point and speak.

``python -m recipes smol train smol``, ``... export smol``: rows, adapter and codecs go into the package, the base stays
apart (`recipes.smol.base`). Every code that it reads is a word, or a number, so that its rows start at embeddings that
the base knows: a picture is what its names are likeliest to be (`recipes.pictograms.words`) and a list of what lies
where (`recipes.scenes.codec`), a clip is a list of what was first and last where, speech is what is spelled
(`recipes.speech.spelled`), in tokens of the base: to write down what it hears, and to say what is written, it copies.
All senses are taught in one mixture, since an adapter that learns one after another forgets the first, and with them
what the base itself says in words (`recipes.smol.talk`), since one that learns names alone forgets to talk.

``... train smol-series`` goes on to the series of the recipe `sensors`, with all others in the mixture. It is not
shipped: the sets are fetched to learn from, not to be passed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from recipes.mood import faces
from recipes.mood import heard as moods_heard
from recipes.mood.sentences import Sentences
from recipes.mood.sources import CREDITS as MOOD_CREDITS
from recipes.motion.makers import episode as moving
from recipes.motion.questions import conversation as clip_talk
from recipes.motion.thoughts import thought_about as thought_about_clip
from recipes.pictograms import tasks as pictures
from recipes.pictograms.codec import kept
from recipes.pictograms.concepts import Concepts, load_pictures, load_pixels
from recipes.pictograms.nano import NOISE, PACKAGE, with_card
from recipes.pictograms.nano import READER as SEEN
from recipes.pictograms.words import words_codec
from recipes.scenes.codec import making, trained
from recipes.scenes.episodes import STILL, WRITTEN, episode
from recipes.scenes.episodes import makers as scenes
from recipes.scenes.model import BOXES
from recipes.scenes.thoughts import ASK, MARK, thought_about
from recipes.smol import series
from recipes.smol.base import smol_base, smol_tokenizer
from recipes.smol.talk import ABOUT, Said, answers
from recipes.speech.coded import Coded, encode
from recipes.speech.errors import normalised
from recipes.speech.model import makers as spoken
from recipes.speech.model import trained_codec, trained_on
from recipes.speech.sources import CREDITS
from recipes.speech.spelled import WORDS as HEARD
from recipes.speech.spelled import without_ear
from recipes.speech.tasks import ASK_SAID, ASK_SAY, Spoken, saying, transcribing, usually_first
from recipes.speech.texts import Texts, texts_of
from recipes.speech.words import REPLIES

from sensorium.codecs import Codec
from sensorium.data.fetch import attribution
from sensorium.data.views import Numbered, Views, remembered
from sensorium.device import computing
from sensorium.families.joined import JoinedCodec
from sensorium.families.spelled import SpelledCodec
from sensorium.families.things import ThingsCodec
from sensorium.families.tracks import TracksCodec
from sensorium.files import cache_dir
from sensorium.model import Grown, Model, grow
from sensorium.model.fold import without_new_rows
from sensorium.recipe import Maker, Plan, Stage
from sensorium.recipe import conversations as mixed
from sensorium.stream import Thinking
from sensorium.training import TrainConfig
from sensorium.types import Conversation, Message, Part, Signal, as_message

HOME = Path("smol")
PICTURES, CLIPS, SCENES, SERIES, DRAWN, TURNS = 12, 6, 3, 4, 2, 3
"""Of a kind in a conversation, at most: the base's own system prompt costs as much as a medium, so several share it."""
VIEWS = 2
"""Of each clip: as it is, and changed as other rooms and microphones might."""
NOTHING = -1
SURE = 0.4
"""Chance from which a thing is held to be there, see `ThingsConfig`."""
ASKED = {task: share for task, share in STILL.items() if task not in WRITTEN}
WATCHED = {
    "acts": 2.5, "direction": 2.0, "who": 0.5, "when": 1.0, "until": 0.5, "does": 2.0, "happens": 0.5, "subtitles": 0.5,
}  # fmt: skip
THINKING = 0.8
"""Share of the clips that are thought about."""
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
SURELY = {"audio": {"temperature": 0.0}, "boxes": {"temperature": 0.0}}
"""How media are written: what is said and where things lie has one right answer."""
HEARD_ABOUT = """
It hears through the encoder of Whisper base (OpenAI, MIT), which is fetched, and a network that learned to spell from
sentences that a synthetic voice spoke; what it says aloud it learned from the same voice.
"""
CLAIMS = [reply for some in REPLIES.values() for reply in some if "draw" in reply or "dibuj" in reply]
"""Answers to what is asked aloud that are not true of it."""
SHARES: Mapping[str, float] = {
    "names": 0.24, "read": 0.08, "about": 0.12, "apart": 0.16, "scenes": 0.2, "speech": 0.2,
}  # fmt: skip
WEIGHTS = {"boxes": 4.0, "audio-words": 3.0}
"""Of what is written beside words: few tokens in many."""
WRITTEN_SHARES: Mapping[str, float] = {
    "say": 0.3, "point": 0.2, "names": 0.16, "about": 0.08, "apart": 0.1, "scenes": 0.08, "speech": 0.08,
}  # fmt: skip
HEARD_SHARES: Mapping[str, float] = {
    "speech": 0.5, "say": 0.08, "names": 0.16, "about": 0.08, "apart": 0.1, "scenes": 0.04, "point": 0.04,
}  # fmt: skip
COPIED_SHARES: Mapping[str, float] = {
    "speech": 0.26, "say": 0.24, "write": 0.1, "names": 0.14, "about": 0.05, "apart": 0.07, "scenes": 0.09,
    "point": 0.05,
}  # fmt: skip
THOUGHT_SHARES: Mapping[str, float] = {
    "think": 0.26, "watch": 0.2, "scenes": 0.05, "point": 0.05, "names": 0.08, "about": 0.09, "apart": 0.11,
    "alone": 0.06, "speech": 0.08, "say": 0.02,
}  # fmt: skip
ALL_SHARES: Mapping[str, float] = {
    "tell": 0.12, "draw": 0.1, "go on": 0.05, "mood": 0.09, "think": 0.13, "watch": 0.11, "scenes": 0.05, "point": 0.05,
    "names": 0.08, "about": 0.06, "apart": 0.08, "alone": 0.04, "speech": 0.08, "say": 0.02,
}  # fmt: skip
TOKENS, COUNTED = 4000, 20_000
"""Tokens of the base that speech is told in, and texts by which they are chosen."""
MISHEARD = 0.06
"""Share of letters that are others in a text that is read as if it had been heard."""
CONFIG = TrainConfig(
    minutes=1, lr={"rows": 5e-4, "adapter": 1e-3}, schedule="trapezoid", cooldown=0.4, warmup=20, betas=(0.9, 0.98),
    save_minutes=4,
)  # fmt: skip


@cache
def seeing() -> ThingsCodec:
    """What tells things, which is to be surer of them: pictograms show few."""
    codec: Any = trained()
    return ThingsCodec(replace(codec.settings, threshold=SURE), codec.net)


@cache
def watching() -> TracksCodec:
    return TracksCodec(trained())


@dataclass(frozen=True, kw_only=True)
class Looks(Views):
    """Views of pictures in names, and after them, as they are, the things in them."""

    things: Sequence[np.ndarray]

    def read(self, number: int, random: Random) -> np.ndarray:
        return np.concatenate([super().read(number, random), self.things[number]])


@cache
def seen() -> Numbered:
    """What the codec makes of the pictures of the table."""
    names, things = words_codec(), seeing()

    def found() -> np.ndarray:
        pixels = load_pixels()
        media = sorted({picture.medium for concept in concepts() for picture in concept.pictures})
        with computing("auto", things.device):
            codes = things.encode([Signal(pixels[medium]) for medium in media])
        rows = np.full((len(pixels), things.facts.max_frames * things.facts.codebooks), NOTHING)
        for medium, one in zip(media, codes, strict=True):
            rows[medium, : len(one)] = one
        return rows

    rows = remembered(cache_dir() / HOME / "things.npz", things.fingerprint(), found)
    values_VND, listed = kept(SEEN).read(), [row[row != NOTHING] for row in rows]
    return Numbered(views=Looks(codec=SEEN, values_VND=values_VND, quantise=names.quantise, noise=NOISE, things=listed))


@cache
def texts() -> Texts:
    return Texts.fetched()


@cache
def hearing() -> SpelledCodec:
    """What hears and says, in tokens of the base."""
    codec: Any = trained_codec(HEARD)
    counted = texts_of(texts(), COUNTED, "train", "pieces")
    return codec.in_tokens_of(smol_tokenizer(), (normalised(one.text, one.language) for one in counted), TOKENS)


@cache
def heard() -> Coded:
    """The training clips in pieces of words; what is misheard, the views mishear."""
    codec, clips = hearing(), trained_on()
    with computing("auto", codec.device):
        read = encode(codec, clips, cache_dir() / HOME / "clips.npz", lambda clip: VIEWS)
    written = {clip.path: [codec.cut(normalised(clip.text, clip.lang))] for clip in clips}
    return Coded(reader=HEARD, writer=HEARD, read=read, written=written, change=lambda codes, random: codes)


@cache
def concepts() -> Concepts:
    return Concepts(load_pictures())


def names(random: Random, most: int = PICTURES) -> Conversation:
    return plainly(seen().fill(pictures.names(concepts(), random, most=most), random), random)


def plainly(made: Conversation, random: Random) -> Conversation:
    """Now and then the request to think, where nothing is to be thought about."""
    turns = list(made.messages)
    for place in range(0, len(turns), 2):
        asked, answer = turns[place : place + 2]
        if random.random() < PLAIN and asked.parts[-1].is_text and all(part.is_text for part in answer.parts):
            question = f"{asked.parts[-1].data} {ASK}"
            turns[place] = as_message("user", [*asked.parts[:-1], question])
            turns[place + 1] = as_message("assistant", f"{MARK} {answer.text}")
    return Conversation(tuple(turns))


def read(random: Random) -> Conversation:
    return seen().fill(pictures.read(concepts(), random), random)


@cache
def _scenes() -> Mapping[str, Maker]:
    return scenes(making())


def scene(random: Random) -> Conversation:
    """A scene, and what is asked of it."""
    kind = random.choices(list(ASKED), list(ASKED.values()))[0]
    made = _scenes()[kind](random)
    return made if kind in THOUGHT else plainly(made, random)


@cache
def _spoken() -> Mapping[str, Maker]:
    return spoken(Spoken(heard().known(trained_on()), texts().names, any_voice=True))


def clip(random: Random) -> Conversation:
    """A clip of speech, and what is asked of it; or words to say. It does not claim that it draws."""
    made = _spoken()[random.choices(list(SPOKEN), list(SPOKEN.values()))[0]](random)
    return clip(random) if made.messages[-1].text in CLAIMS else heard().fill(made, random)


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
        return seen().fill(faces.mood(concepts(), random), random)
    return moods_heard.mood(_sentences(), partial(_heard_as, random=random), random)


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
    """Pictures, talked about as the base talks about what they show; now and then they are named first."""
    turns: list[Message] = []
    for said in random.choices(_told(True), k=random.randint(1, TURNS)):
        part = pictures.picture_part(pictures.any_picture(concepts().by_label[said.label], random))
        shown: list[str | Part] = [part]
        if random.random() < 0.3:
            turns += pictures.named(part, said.label).messages
            shown = []
        turns += _turn(said, [*shown, ABOUT[said.number][1]])
    return seen().fill(Conversation(tuple(turns)), random)


def apart(random: Random) -> Conversation:
    """A medium, with a question or none, and then talk about something else, in the base's own words."""
    maker = random.choices((partial(names, most=1), scene, clip, watch), (2, 1, 1, 1))[0]
    first = maker(random).messages[:2]
    if random.random() < 0.5:
        noticed, answer = random.choice(NOTICED)
        shown = [part for part in first[0].parts if not part.is_text]
        first = (as_message("user", [*shown, noticed]), as_message("assistant", answer))
    return Conversation((*first, *alone(random).messages))


def alone(random: Random) -> Conversation:
    """Talk about anything, in the base's own words."""
    found = random.choices(_told(False) + _told(True), k=random.randint(1, TURNS))
    return Conversation(tuple(message for said in found for message in _turn(said, said.question)))


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
    "watch": several(watch, SCENES), "tell": several(series.tell, SERIES), "draw": several(series.write, DRAWN),
    "go on": series.go_on, "sets": several(series.name, SERIES), "mood": several(mood, CLIPS),
}  # fmt: skip


def conversations(stage: Stage, first: int) -> Iterator[Conversation]:
    return mixed(MAKERS, stage.shares, stage.conversations, 0, first)


def grown(start: str) -> Grown:
    """From the base, or from a smol that may lack codecs that came later."""
    return _from_base(series.READ) if not start else _later(Model.load(start))


def _from_base(series_reader: Codec) -> Grown:
    codecs = [JoinedCodec(words_codec(), seeing(), SEEN), BOXES, hearing(), watching(), series.WRITER, series_reader]
    return grow(smol_base(), codecs, "adapter", lora_rank=8)


def _later(model: Model) -> Grown:
    later = (watching(), series.WRITER, series.READ)
    return grow(model, [one for one in later if one.facts.name not in model.codecs], "adapter")


@torch.no_grad()
def with_sets(start: str) -> Grown:
    """A smol whose codec that reads series, the last one, is another."""
    model, grown = Model.load(start), _from_base(series.reader_of_sets())
    first = model.vocabulary.layout(series.READER).open_id - model.senses.text_size
    rows_in, rows_out = without_new_rows(model.lm, model.senses.text_size)
    grown.start_at((rows_in[:first], rows_out[:first]))
    adapter = {name: value for name, value in model.lm.named_parameters() if "lora_" in name}
    for name, value in grown.lm.named_parameters():
        if "lora_" in name:
            value.copy_(adapter[name])
    return grown


def export(model: Grown, out: Path) -> Path:
    """Rows, adapter and codecs in half precision; what hears is taken from packages, as the base is."""
    whole = model.fold()
    named = whole.codecs[SEEN]
    assert isinstance(named, JoinedCodec)
    senses = whole.senses.replaced(without_ear(hearing()))
    for codec in (
        JoinedCodec(named.first, seeing(), SEEN),
        watching(),
    ):  # what tells things may have learned more since
        senses = senses.replaced(codec)
    whole.senses = replace(senses, sampling=SURELY, thinking=Thinking(ASK, MARK))
    whole.save_rows(out, dtype=torch.float16)
    with_card(out, Path(__file__).with_name("smol_card.md"))
    with (out / "ATTRIBUTION.md").open("a", encoding="utf-8") as file:
        file.write(attribution([*CREDITS, *MOOD_CREDITS], HEARD_ABOUT).replace("# Attribution\n", "", 1))
    return out


SMOL = Plan(
    name="smol",
    folder=str(HOME),
    stages=[
        Stage(shares=SHARES, minutes=30, conversations=4_500),
        Stage(shares=WRITTEN_SHARES, minutes=16, conversations=1_200, cooldown=0.7, note="More of what is written."),
        Stage(shares=HEARD_SHARES, minutes=8, conversations=700, cooldown=1.0, note="More of what is heard."),
        Stage(shares=COPIED_SHARES, minutes=65, conversations=1_200, cooldown=1.0, note="More of what is copied."),
        Stage(shares=THOUGHT_SHARES, minutes=90, conversations=3_000, cooldown=0.6, note="Thinking before answering."),
        Stage(shares=ALL_SHARES, minutes=55, conversations=3_000, cooldown=0.6, note="Series and moods as well."),
    ],
    grown=grown,
    conversations=conversations,
    config=CONFIG,
    weights=WEIGHTS,
    rows=1,
    row_tokens=512,
    export=export,
    out=PACKAGE / "smol",
)
SMOL_SERIES = Plan(
    name="smol-series",
    folder=str(HOME / "series"),
    stages=[Stage(shares={**ALL_SHARES, "sets": 0.8}, minutes=20, conversations=3_000, start="smol")],
    grown=with_sets,
    conversations=conversations,
    config=replace(CONFIG, cooldown=0.7),
    weights=WEIGHTS,
    rows=1,
    row_tokens=512,
    export=lambda model, out: model.fold().save_rows(out),
    out=cache_dir() / HOME / "series" / "exported",
)
