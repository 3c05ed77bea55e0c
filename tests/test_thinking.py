"""A model that was taught to thinks before it answers, and its thought is told apart through every door."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Greys, as_uri, ask, picture, png, running, tiny_assistant
from toys import ToyCodec

from sensorium.engines import Token
from sensorium.generate import Assistant
from sensorium.generate.tools import Tool, calls_form
from sensorium.model import Model, grow
from sensorium.serve.writing.transcript import Medium, Text, Thought, Transcript
from sensorium.stream import Thinking, ThoughtReader
from sensorium.types import Conversation, InputError, Part, Reply, as_message

PICTURE = Part("image", png())
ASK = "Think."
SHOWN = [picture(), {"type": "text", "text": "hm?"}]
MARK = "Answer:"


def taught(**how) -> Assistant:
    """A random model whose mark is something it says, in more than one token."""
    model = tiny_assistant()
    said = model.chat([PICTURE, f"hm? {ASK}"], want="text", max_tokens=30, **how).text
    starts = (at for at in range(4, len(said)) if said[at : at + 3].strip() == said[at : at + 3])
    mark = next(said[at : at + 3] for at in starts if "\ufffd" not in said[at : at + 3] and len(said) > at + 6)
    model.senses = replace(model.senses, thinking=Thinking(ASK, mark))
    return model


@pytest.fixture(scope="module")
def model():
    return taught()


def asked(*contents) -> Conversation:
    roles = ("user", "assistant") * len(contents)
    return Conversation(tuple(as_message(role, content) for role, content in zip(roles, contents, strict=False)))


def read(mark: str, pieces: list[str]) -> tuple[str | None, str]:
    reader, thought, answer = ThoughtReader(mark), "", ""
    for piece in pieces:
        more, said = reader.feed(piece)
        thought, answer = thought + more, answer + said
    concluded = not reader.inside
    assert not concluded or reader.thought == thought
    return (thought if concluded else None), answer + reader.end()


@given(st.lists(st.sampled_from(["Ans", "wer", ":", "Answer:", "A", " ", "\n", "so", "no"]), max_size=9))
def test_read_piece_by_piece_a_thought_is_that_of_the_whole(pieces):
    text = "".join(pieces)
    thought, parts = Thinking(ASK, MARK).told_apart([Part("text", text)])
    assert read(MARK, pieces) == (thought, "".join(part.data for part in parts))
    if thought is None:
        assert parts == (Part("text", text),)


def test_nothing_of_a_thought_is_told_twice_or_too_soon():
    reader = ThoughtReader(MARK)
    said = [reader.feed(piece) for piece in ("It is red", " . A", "n A", "nswer", ":", " ", " n", "o Answer: x")]
    assert said == [
        ("It is red", ""), (" .", ""), (" An", ""), ("", ""), ("", ""), ("", ""), ("", "n"), ("", "o Answer: x"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("contents", "texts"),
    [
        (["How many?"], ["How many? Think."]),
        (["How many? \n"], ["How many? Think."]),
        (["How many? Think."], ["How many? Think."]),
        ([["How many?", PICTURE]], ["How many? Think."]),
        ([[PICTURE]], ["Think."]),
        ([["How", PICTURE, "many?"], "two", ["Why?", ""]], ["Howmany?", "two", "Why? Think."]),
    ],
)
def test_the_request_to_think_stands_behind_the_last_words_of_the_user(contents, texts):
    made = Thinking(ASK, MARK).asked(asked(*contents))
    assert [message.text for message in made.messages] == texts


def test_the_reply_tells_the_thought_apart(model):
    whole = model.chat([PICTURE, f"hm? {ASK}"], want="text", max_tokens=30)
    reply = model.chat([PICTURE, "hm?"], want="text", max_tokens=30, think=True)
    thought, _, answer = whole.text.partition(model.thinking.mark)
    assert (reply.thought, reply.text) == (thought.rstrip(), answer.lstrip())
    assert reply.ids == whole.ids and whole.thought is None
    assert model.candidates([PICTURE, "hm?"], "text", count=2, max_tokens=30, think=True)[0].thought is not None


def test_where_no_thought_ends_the_whole_text_is_the_answer(model):
    cut = model.chat([PICTURE, "hm?"], want="text", max_tokens=2, think=True)
    assert cut.thought is None
    assert cut.text == model.chat([PICTURE, f"hm? {ASK}"], want="text", max_tokens=2).text


def test_it_thinks_where_words_are_said_of_media_only(model):
    for content, want, thinks in [
        ("hm?", None, False),
        ([PICTURE, "hm?"], "image", False),
        ([PICTURE, "hm?"], None, True),
        ([PICTURE, "hm?"], ("text", "image"), True),
    ]:
        turn, plain = (model.turn(asked(content), want, think=think) for think in (True, False))
        assert turn.thinks is thinks and plain.thinks is False
        assert (list(turn.prompt) != list(plain.prompt)) is thinks
    assert model.turn(asked([PICTURE], "a", "hm?"), "text", think=True).thinks, "the picture is in the conversation"


def test_a_medium_ends_what_may_be_a_thought():
    codes = np.zeros(16, np.int64)
    medium = Part("image", codes=codes, codec="image")
    kept = (Part("text", "Here: "), medium, Part("text", f"{MARK} so"))
    assert Thinking(ASK, MARK).told_apart(kept) == (None, kept)
    senses = tiny_assistant().senses
    here, after = (senses.tokenizer(one.data, add_special_tokens=False)["input_ids"] for one in (kept[0], kept[2]))
    transcript = Transcript(senses.stream, thinking=Thinking(ASK, MARK))
    ids = [*here, *senses.vocabulary.layout("image").ids(codes), *after]
    events = [event for id_ in ids for event in transcript.feed(Token(0, id_))]  # type: ignore[arg-type]
    order = [type(event) for event in events if isinstance(event, Text | Medium)]
    assert order.index(Text) < order.index(Medium) and transcript.thought is None


def test_a_model_that_does_not_think_says_so():
    with pytest.raises(InputError, match="this model does not think before it answers"):
        tiny_assistant().chat("hm?", think=True)


def test_a_text_with_a_form_is_not_thought_about(model):
    with pytest.raises(InputError, match="leave out the form, or do not think"):
        model.chat([PICTURE, "hm?"], form={"type": "boolean"}, think=True)


def saved(folder: Path, thinking: Thinking | None) -> Path:
    made = tiny_assistant(codecs=[ToyCodec()])
    made.senses = replace(made.senses, thinking=thinking)
    return made.save(folder)


@pytest.mark.parametrize("thinking", [Thinking(ASK, MARK), None])
def test_how_it_thinks_goes_into_its_folder_and_comes_back(tmp_path, thinking):
    model = Model.load(saved(tmp_path / "model", thinking))
    assert model.thinking == thinking
    assert grow(model, [Greys()]).thinking == thinking, "also where it learns on"


@pytest.mark.parametrize(
    ("thinking", "told"),
    [
        ({"ask": "Think."}, "thinking has no 'mark'"),
        ({"ask": "Think.", "mark": ""}, "1 to 100 characters"),
        ({"ask": 3, "mark": "so"}, "1 to 1000 characters"),
        ({"ask": "a", "mark": "b", "more": 1}, "more"),
        ("always", "thinking"),
    ],
    ids=str,
)
def test_a_damaged_account_of_it_is_told_in_a_sentence(tmp_path, thinking, told):
    head = saved(tmp_path / "model", None) / "sensorium.json"
    said = json.loads(head.read_text())
    del said["seal"], said["checksums"]
    head.write_text(json.dumps(said | {"thinking": thinking}))
    with pytest.raises(InputError, match=told) as caught:
        Model.load(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_the_model_in_the_box_that_thinks_says_how():
    from recipes.scenes import thoughts

    from sensorium.model.folder import IN_THE_BOX, read_head

    assert read_head(IN_THE_BOX / "smol")[0].thinking == Thinking(thoughts.ASK, thoughts.MARK)
    assert read_head(IN_THE_BOX / "nano")[0].thinking is None


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model, "plain": tiny_assistant()}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


@pytest.fixture(scope="module")
def own(model) -> Reply:
    return model.chat([PICTURE, "hm?"], want="text", max_tokens=30, think=True)


CHAT = {"messages": [{"role": "user", "content": SHOWN}], "modalities": ["text"], "max_tokens": 30}
EFFORTS = ["minimal", "low", "medium", "high"]


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_chat_has_the_thought_beside_the_answer(client, own, effort):
    reply = client.chat.completions.create(model="tiny", reasoning_effort=effort, **CHAT)
    message = reply.choices[0].message
    assert (message.reasoning_content, message.content) == (own.thought, own.text)
    assert [part["text"] for part in message.parts] == [own.text]
    assert reply.usage.completion_tokens == len(own.ids)
    assert 0 < reply.usage.completion_tokens_details.reasoning_tokens < len(own.ids)


def test_thought_and_answer_are_streamed_one_after_the_other(client, own, model):
    options = dict(model="tiny", reasoning_effort="low", logprobs=True, **CHAT)
    whole = client.chat.completions.create(**options)
    chunks = list(client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    thoughts = [at for at, delta in enumerate(deltas) if getattr(delta, "reasoning_content", None)]
    answers = [at for at, delta in enumerate(deltas) if delta.content]
    assert "".join(deltas[at].reasoning_content for at in thoughts) == own.thought
    assert "".join(deltas[at].content for at in answers) == own.text
    assert len(thoughts) > 1 and max(thoughts) < min(answers)
    assert chunks[-1].usage.completion_tokens_details == whole.usage.completion_tokens_details
    told = [one.logprob for chunk in chunks if chunk.choices for one in (chunk.choices[0].logprobs or NONE).content]
    assert told == [one.logprob for one in whole.choices[0].logprobs.content]
    assert len(told) == len(own.ids) - whole.usage.completion_tokens_details.reasoning_tokens


class NONE:
    content: tuple = ()


@pytest.mark.parametrize("stream", [False, True])
def test_what_seemed_a_thought_and_never_ended_is_the_answer(client, model, stream):
    """A stream has told it as a thought by then, so it is told twice."""
    cut = model.chat([PICTURE, "hm?"], want="text", max_tokens=3, think=True)
    options = CHAT | {"model": "tiny", "max_tokens": 3, "reasoning_effort": "high"}
    reply = client.chat.completions.create(**options, stream=stream)
    if stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in reply if chunk.choices) == cut.text
        return
    assert reply.choices[0].message.content == cut.text and reply.choices[0].message.reasoning_content is None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 0


@pytest.mark.parametrize("effort", [None, "none"])
def test_it_answers_at_once_unless_it_is_asked_to_think(server, model, effort):
    message = server.post("/v1/chat/completions", {"model": "tiny", "reasoning_effort": effort, **CHAT}).json()
    plain = model.chat([PICTURE, "hm?"], want="text", max_tokens=30)
    said = message["choices"][0]["message"]
    assert (said["content"], said["reasoning_content"]) == (plain.text, None)


def test_words_alone_are_answered_at_once(client, model):
    plain = model.chat("hello", want="text", max_tokens=9)
    reply = client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "hello"}], modalities=["text"], max_tokens=9,
        reasoning_effort="high",
    )  # fmt: skip
    assert reply.choices[0].message.content == plain.text


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/chat/completions", {**ask("a"), "reasoning_effort": "high"}, "reasoning_effort"),
        ("/v1/responses", {"input": "a", "reasoning": {"effort": "minimal"}}, "reasoning"),
    ],
)
def test_a_model_that_does_not_think_refuses_to(server, path, fields, param):
    reply = server.post(path, fields | {"model": "plain"})
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, param, "unsupported_parameter")
    assert "'plain' does not think first" in error["message"]


def test_a_thought_that_is_sent_back_does_no_harm(client):
    history = [*CHAT["messages"], {"role": "assistant", "content": "two", "reasoning_content": "one, two"}]
    messages = [*history, {"role": "user", "content": "sure?"}]
    first, second = (
        client.chat.completions.create(**CHAT | {"model": "tiny", "messages": some, "reasoning_effort": "low"})
        for some in (messages, [*history[:1], {"role": "assistant", "content": "two"}, messages[-1]])
    )
    assert first.choices[0].message.content == second.choices[0].message.content


def test_a_model_that_thinks_may_still_call_its_tools(model):
    form = model.stream.spelling(calls_form([Tool("clock")]))
    assert model.thinks_with(asked([PICTURE, "hm?"]), "text", form) == model.thinking


def test_responses_have_the_thought_as_an_item(client, own):
    content = [{"type": "input_image", "image_url": as_uri(png())}, {"type": "input_text", "text": "hm?"}]
    options = dict(
        model="tiny", input=[{"role": "user", "content": content}], max_output_tokens=30, reasoning={"effort": "low"},
        extra_body={"modalities": ["text"]}, top_logprobs=1,
    )  # fmt: skip
    whole = client.responses.create(**options)
    thought, message = whole.output
    assert (thought.type, thought.summary, thought.content[0].text) == ("reasoning", [], own.thought)
    assert whole.output_text == own.text and message.type == "message"
    assert whole.reasoning.effort == "low"
    assert whole.usage.output_tokens_details.reasoning_tokens + len(message.content[0].logprobs) <= len(own.ids)
    events = list(client.responses.create(**options, stream=True))
    assert "".join(one.delta for one in events if one.type == "response.reasoning_text.delta") == own.thought
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == own.text
    kinds = [event.type for event in events]
    assert kinds.index("response.reasoning_text.done") < kinds.index("response.output_text.delta")
    assert [item.type for item in events[-1].response.output] == ["reasoning", "message"]
    again = [*options["input"], *(item.model_dump(exclude_none=True) for item in whole.output)]
    assert client.responses.create(**options | {"input": [*again, {"role": "user", "content": "so?"}]}).output


def test_models_say_whether_they_think(client):
    assert {card.id: card.thinks for card in client.models.list()} == {"tiny": True, "plain": False}


def test_a_transcript_tells_thoughts_by_their_kind(model):
    transcript = Transcript(model.stream, thinking=Thinking(ASK, MARK))
    ids = model.tokenizer(f"so. {MARK} no", add_special_tokens=False)["input_ids"]
    events = [event for id_ in ids for event in transcript.feed(Token(0, id_))]  # type: ignore[arg-type]
    events += transcript.feed(Token(0, model.stream.stop_ids[0], "stop"))  # type: ignore[arg-type]
    for kind, text in ((Thought, "so."), (Text, "no")):
        assert "".join(event.text for event in events if isinstance(event, kind)) == text
    assert transcript.thought == "so." and transcript.thought_ids < len(ids)


@pytest.mark.parametrize(
    ("said", "thought", "text"), [("so. and. {mark} no. yes", "so. and.", "no"), ("so. and", None, "so")]
)
def test_stop_strings_end_the_answer_and_no_thought(model, said, thought, text):
    transcript = Transcript(model.stream, (".",), Thinking(ASK, MARK))
    ids = model.tokenizer(said.format(mark=MARK), add_special_tokens=False)["input_ids"]
    events = [event for id_ in ids for event in transcript.feed(Token(0, id_))]  # type: ignore[arg-type]
    if not transcript.stopped:
        events += transcript.feed(Token(0, model.stream.stop_ids[0], "stop"))  # type: ignore[arg-type]
    assert "".join(event.text for event in events if isinstance(event, Text)) == text
    assert transcript.thought == thought and transcript.stopped
