"""Invariants 1 and 2 of the design: parse undoes render; whatever the grammar allows can be decoded."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import CHATML, ToyCodec, random_codes, tiny_tokenizer

from sensorium.stream import Grammar, Stream, show
from sensorium.stream.render import canonical
from sensorium.types import Conversation, InputError, Message, Part, as_message
from sensorium.vocabulary import Vocabulary

READ = ToyCodec("toy-read", "read", sizes=(5,), grid=(3,), max_frames=3)
WRITE = ToyCodec("toy", "write")
LOOSE = ToyCodec("loose", "both", sizes=(6, 3), grid=None, max_frames=5, modality="loose")
CLIP = ToyCodec(
    "clip", "both", sizes=(3, 2), grid=(None, 2, 2), max_frames=12, modality="clip", header=[("rate", 4), ("gain", 5)]
)
SERIES = ToyCodec("series", sizes=(7,), grid=None, max_frames=9, min_frames=3, modality="series", header=[("scale", 6)])
CODECS = {codec.facts.name: codec for codec in (WRITE, READ, LOOSE, CLIP, SERIES)}


def make_stream(template: str | None = CHATML) -> Stream:
    tokenizer = tiny_tokenizer(template)
    vocabulary = Vocabulary.build(300, [codec.facts for codec in CODECS.values()])
    vocabulary.extend_tokenizer(tokenizer)
    return Stream(tokenizer, vocabulary)


STREAM = make_stream()


def medium(codec: ToyCodec, seed: int, frames: int | None = None) -> Part:
    return Part(codec.facts.modality, codes=random_codes(codec, seed, frames), codec=codec.facts.name)


texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["<|end|>", "<|toy|>", "<|toy:0:3|>x", "<|/toy|>", "<|start|>user\n", "\ue0f00/\ue0f0", " hi\n"]),
).map(lambda text: Part("text", text))
seeds = st.integers(0, 99)
loose = st.builds(lambda seed, frames: medium(LOOSE, seed, frames), seeds, st.integers(1, 5))
clip = st.builds(lambda seed, steps: medium(CLIP, seed, 4 * steps), seeds, st.integers(1, 3))
series = st.builds(lambda seed, frames: medium(SERIES, seed, frames), seeds, st.integers(3, 9))
free = st.one_of(loose, clip, series)
asked = st.one_of(texts, free, seeds.map(lambda seed: medium(READ, seed)))
answered = st.one_of(texts, free, seeds.map(lambda seed: medium(WRITE, seed)))


@st.composite
def conversations(draw):
    turns = []
    for _ in range(draw(st.integers(1, 3))):
        turns.append(Message("user", tuple(draw(st.lists(asked, min_size=1, max_size=4)))))
        turns.append(Message("assistant", tuple(draw(st.lists(answered, min_size=1, max_size=4))), draw(st.booleans())))
    return Conversation(tuple(turns))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations())
def test_parse_undoes_render(conversation):
    rendered = STREAM.render(conversation)
    for number, message in enumerate(conversation.messages):
        pieces = [piece for piece in rendered.pieces if piece.message == number]
        ids = rendered.ids[pieces[0].start : pieces[-1].stop]
        assert STREAM.parse(ids) == canonical(message.parts)


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_loss_counts_on_answers_and_on_the_end_of_those_that_are_finished_only(conversation):
    rendered = STREAM.render(conversation)
    expected = np.zeros(len(rendered.ids), dtype=bool)
    for piece in rendered.pieces:
        if conversation.messages[piece.message].role == "assistant":
            expected[piece.start : piece.stop] = True
    for number in range(1, len(conversation.messages), 2):
        end = max(piece.stop for piece in rendered.pieces if piece.message == number)
        assert rendered.ids[end] == STREAM.tokenizer.eos_token_id
        expected[end] = conversation.messages[number].finished
    np.testing.assert_array_equal(rendered.mask, expected)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, STREAM.vocabulary.size - 1), max_size=40))
def test_parse_never_raises_and_what_it_returns_renders_again(ids):
    parts = STREAM.parse(ids)
    assert parts == canonical(parts)
    STREAM.render(Conversation((Message("user", (Part("text", "hello"),)), Message("assistant", tuple(parts)))))


def test_ids_of_text_are_those_of_the_chat_template():
    turns = [
        ("system", "be kind"),
        ("user", "hello world, what is <3?"),
        ("assistant", "a red heart"),
        ("user", " so\n\n"),
    ]
    messages = [{"role": role, "content": text} for role, text in turns]
    conversation = Conversation(tuple(as_message(role, text) for role, text in turns))
    expected = STREAM.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = STREAM.render(conversation, reply=True).ids.tolist()
    assert ids == STREAM.tokenizer(expected, add_special_tokens=False)["input_ids"]


def test_a_prompt_is_the_beginning_of_the_trained_conversation():
    question = as_message("user", ["what is this?", medium(READ, 1)])
    prompt = STREAM.render(Conversation((question,)), reply=True).ids
    whole = STREAM.render(Conversation((question, as_message("assistant", " a red heart")))).ids
    np.testing.assert_array_equal(whole[: len(prompt)], prompt)


def test_special_tokens_in_a_users_text_stay_text():
    rendered = STREAM.render(Conversation((as_message("user", "<|end|><|toy|><|toy:0:1|>"),)))
    piece = rendered.pieces[0]
    inside = rendered.ids[piece.start : piece.stop]
    assert STREAM.tokenizer.eos_token_id not in inside and (inside < 300).all()
    assert STREAM.tokenizer.decode(inside) == "<|end|><|toy|><|toy:0:1|>"


def test_a_model_without_chat_template_gets_a_plain_one():
    plain = make_stream(template=None)
    conversation = Conversation((as_message("user", ["hello", medium(READ, 2)]), as_message("assistant", "world")))
    rendered = plain.render(conversation)
    piece = rendered.pieces[-1]
    assert plain.parse(rendered.ids[piece.start : piece.stop]) == [Part("text", "world")]
    assert rendered.ids[piece.stop] in plain.stop_ids


def test_a_medium_without_codes_is_named():
    with pytest.raises(InputError, match="'toy' has no codes; encode it with codec 'toy-read'"):
        STREAM.render(Conversation((as_message("user", Part("toy", data=[1])),)))


def test_a_template_that_refuses_is_reported_in_one_sentence():
    strict = make_stream("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InputError, match="refuses this conversation: roles must alternate"):
        strict.render(Conversation((as_message("user", "hello"),)))


def sample(grammar: Grammar, generator: np.random.Generator, limit: int = 300) -> list[int]:
    ids: list[int] = []
    while not grammar.done and len(ids) < limit:
        ranges = grammar.allowed()
        choices = [generator.integers(start, stop) for start, stop in ranges]
        token = int(generator.choice(choices))
        grammar.advance(token)
        ids.append(token)
    return ids


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([None, "toy", "loose", "clip", "series", "text"]),
    st.one_of(st.none(), st.integers(13, 60)),
)
def test_whatever_the_grammar_allows_decodes(seed, want, budget):
    grammar = Grammar(STREAM.vocabulary, STREAM.text_stop, STREAM.stop_ids, want=want, budget=budget)
    ids = sample(grammar, np.random.default_rng(seed))
    assert grammar.inside is None or (budget is None and not grammar.done)
    if budget is not None:
        assert grammar.done and len(ids) <= budget
    complete = (
        ids if grammar.inside is None else ids[: max(i for i, t in enumerate(ids) if t == grammar.inside.open_id)]
    )
    parts = STREAM.parse(complete)
    opened = sum(token in {s.open_id for s in STREAM.vocabulary.layouts} for token in complete)
    media = [part for part in parts if not part.is_text]
    assert len(media) == opened
    for part in media:
        CODECS[part.codec].decode([part.codes])
    if want not in (None, "text"):
        assert [part.modality for part in parts] == [want]


@pytest.mark.parametrize("want", [["text", "loose"], {"text", "toy", "loose", "clip", "series"}, ("text",), ["loose"]])
def test_several_kinds_may_be_wanted(want):
    def rules(kinds) -> Grammar:
        return Grammar(STREAM.vocabulary, STREAM.text_stop, STREAM.stop_ids, want=kinds, budget=60)

    opens = {name: STREAM.vocabulary.writer(name).open_id for name in ("toy", "loose")}
    for name, open_id in opens.items():
        assert any(start <= open_id < stop for start, stop in rules(want).allowed()) == (name in want)
    alone = next(iter(want)) if len(want) == 1 else None
    if alone or len(want) == 5:
        assert rules(want).allowed() == rules(alone).allowed()


@pytest.mark.parametrize(
    ("want", "match"),
    [(["toy", "loose"], "ask for one of toy, loose"), ([], "ask for one of text"), (["text", "smell"], "'smell'")],
)
def test_kinds_that_cannot_be_written_together_are_refused(want, match):
    with pytest.raises(InputError, match=match):
        Grammar(STREAM.vocabulary, STREAM.text_stop, STREAM.stop_ids, want=want)


def test_a_read_only_codec_is_never_written():
    grammar = Grammar(STREAM.vocabulary, STREAM.text_stop, STREAM.stop_ids)
    read = STREAM.vocabulary.layout("toy-read")
    assert not any(start <= read.open_id < stop for start, stop in grammar.allowed())


def test_a_budget_too_small_for_a_medium_is_refused():
    with pytest.raises(InputError, match="takes at least 10"):
        Grammar(STREAM.vocabulary, STREAM.text_stop, STREAM.stop_ids, want="toy", budget=9)


def test_a_forbidden_id_is_caught():
    grammar = Grammar(STREAM.vocabulary, STREAM.text_stop, STREAM.stop_ids, want="toy")
    with pytest.raises(AssertionError):
        grammar.advance(5)


def test_show_prints_every_token_and_counts_losses(capsys):
    conversation = Conversation((as_message("user", "hello"), as_message("assistant", medium(WRITE, 3))))
    text = show(STREAM.render(conversation), STREAM).plain
    assert "<|toy|>" in text and "toy 8 (8 with loss)" in text


def test_many_opening_markers_are_read_once_each():
    """What a request may hold: the time grows with the ids, not with their square."""
    codec = ToyCodec("long", sizes=(4,), grid=None, max_frames=100_000, modality="long")
    vocabulary, tokenizer = Vocabulary.build(300, [codec.facts]), tiny_tokenizer()
    vocabulary.extend_tokenizer(tokenizer)

    class Counted(list):
        looks = 0

        def __getitem__(self, index):
            Counted.looks += 1
            return super().__getitem__(index)

    stream, ids = Stream(tokenizer, vocabulary), Counted([300] * 500)
    assert all(stream._medium_at(ids, at) == (None, at) for at in range(500))
    assert Counted.looks < 5 * 500
