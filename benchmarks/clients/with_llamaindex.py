"""LlamaIndex's OpenAILike, for servers that speak OpenAI's API.

Annotations are evaluated here: LlamaIndex cannot make a tool of a function whose annotations are strings.
"""

import asyncio
import json
from typing import Literal

import openai
from calls import (
    DRAWING,
    FORMAT,
    GREETING,
    HEARING,
    IN_WORDS,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMED,
    NAMING,
    URL,
    WORDS,
    call,
    check,
    is_drawing,
    is_said,
    is_schema,
    is_text,
    is_weather,
    main,
    picture_bytes,
    recording,
)
from llama_index.core.llms import AudioBlock, ChatMessage, ImageBlock, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

WHERE = {"model": MODEL, "api_base": URL, "api_key": KEY, "context_window": 1024}
CHAT = {**WHERE, "is_chat_model": True, "is_function_calling_model": True, "max_retries": 0}
llm = OpenAILike(**CHAT)


def user(text):
    return [ChatMessage(role="user", content=text)]


def with_heart(text):
    return [ChatMessage(role="user", blocks=[TextBlock(text=text), ImageBlock(image=picture_bytes())])]


def like(**options):
    """A client with options that LlamaIndex passes on in the body."""
    given = {name: options.pop(name) for name in ("temperature", "max_tokens") if name in options}
    return OpenAILike(**CHAT, **given, additional_kwargs=options)


@call
def chat():
    reply = llm.chat(user(GREETING))
    check(reply.raw.usage.completion_tokens > 0, reply)
    return is_text(reply.message.content)


@call
def system():
    return is_text(llm.chat([ChatMessage(role="system", content="Be brief."), *user(GREETING)]).message.content)


@call
def turns():
    return is_text(llm.chat([*user(GREETING), llm.chat(user(GREETING)).message, *user("Who are you?")]).message.content)


@call
async def async_():
    pieces = [piece.delta async for piece in await llm.astream_chat(user(GREETING))]
    reply = await llm.achat(user(GREETING))
    check("".join(pieces) == reply.message.content, pieces)


@call
async def parallel():
    exact = like(temperature=0, modalities=["text"])
    asked = [user(f"What colour is a {word}?") for word in WORDS]
    together = [reply.message.content for reply in await asyncio.gather(*(exact.achat(one) for one in asked))]
    check(together == [(await exact.achat(one)).message.content for one in asked], together)


@call
def stream():
    said = "".join(piece.delta for piece in llm.stream_chat(user(GREETING)))
    check(said == llm.chat(user(GREETING)).message.content, said)
    return said


@call
def stream_usage():
    last = list(like(stream_options={"include_usage": True}).stream_chat(user(GREETING)))[-1]
    check(last.raw.usage.completion_tokens > 0, last)


@call
def cancel():
    pieces = llm.stream_chat(user(DRAWING))
    next(pieces)
    pieces.close()
    return is_text(llm.chat(user(GREETING)).message.content)


@call
def timeout():
    try:
        OpenAILike(**CHAT, timeout=0.005).chat(user(DRAWING))
    except openai.APITimeoutError:
        return is_text(llm.chat(user(GREETING)).message.content)
    raise AssertionError("answered within 5 ms")


@call
def picture():
    said = like(temperature=0, modalities=["text"]).chat(with_heart(NAMING)).message.content
    check(NAME in said, said)
    return said


@call
def hearing():
    asked = [AudioBlock(audio=recording(), format="wav"), TextBlock(text=HEARING)]
    return is_said(like(temperature=0).chat([ChatMessage(role="user", blocks=asked)]).message.content)


@call
def drawing():
    return "raw.choices[0].message.images: " + is_drawing(
        llm.chat(user(DRAWING)).raw.choices[0].message.images[0]["image_url"]["url"]
    )


@call
def drawing_stream():
    deltas = [piece.raw.choices[0].delta for piece in llm.stream_chat(user(DRAWING)) if piece.raw.choices]
    images = [one for delta in deltas for one in getattr(delta, "images", None) or []]
    check(len(images) == 1, deltas[-2:])
    return "raw.choices[0].delta.images: " + is_drawing(images[0]["image_url"]["url"])


@call
def drawing_back():
    made = llm.chat(user(DRAWING)).message
    return is_text(like(modalities=["text"]).chat([*user(DRAWING), made, *user(GREETING)]).message.content)


@call
def n():
    choices = like(n=2, temperature=1).chat(user("What is a heart?")).raw.choices
    check([one.index for one in choices] == [0, 1], choices)


@call
def stop():
    exact = like(temperature=0)
    whole = exact.chat(user(GREETING)).message.content
    word = whole.split()[2]
    check(exact.chat(user(GREETING), stop=[word]).message.content == whole[: whole.index(word)], whole)


@call
def seed():
    said = [like(temperature=1.5, modalities=["text"], seed=number).chat(with_heart("Name it.")).message.content
            for number in (3, 3, 4, 5, 6)]  # fmt: skip
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def greedy():
    exact = like(temperature=0, modalities=["text"])
    said = {exact.chat(with_heart(NAMING)).message.content for _ in range(3)}
    check(len(said) == 1, said)


@call
def max_tokens():
    reply = like(max_tokens=3).chat(user(GREETING)).raw
    check(reply.usage.completion_tokens == 3 and reply.choices[0].finish_reason == "length", reply)


@call
def logprobs():
    reply = OpenAILike(**CHAT, logprobs=True, top_logprobs=3).chat(user(GREETING))
    check(len(reply.logprobs) == reply.raw.usage.completion_tokens, reply.logprobs)
    check(all(one.logprob <= 0 for top in reply.logprobs for one in top), reply.logprobs)


class Pictogram(BaseModel):
    """A pictogram."""

    name: str
    colour: Literal["red", "green", "blue"]
    count: int


@call
def json_object():
    said = like(response_format={"type": "json_object"}).chat(user("Tell me of a red heart, as JSON.")).message.content
    check(isinstance(json.loads(said), dict), said)
    return said


@call
def json_schema():
    prompt = PromptTemplate("One red {thing}.")
    is_schema(llm.structured_predict(Pictogram, prompt, thing="heart").model_dump())  # by a tool
    strict = OpenAILike(**CHAT, should_use_structured_outputs=True)
    return is_schema(strict.structured_predict(Pictogram, prompt, thing="heart").model_dump())


@call
def json_stream():
    pieces = like(response_format=FORMAT).stream_chat(user("One red heart."))
    return is_schema("".join(piece.delta for piece in pieces))


def weather(place: str, unit: Literal["celsius", "kelvin"]) -> str:
    """The weather in a place."""
    return "sunny"


def clock() -> str:
    """The time."""
    return "noon"


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(clock)]


def called(reply):
    (tool,) = llm.get_tool_calls_from_response(reply)
    return is_weather(tool.tool_name, tool.tool_kwargs)


@call
def tools_auto():
    reply = llm.chat_with_tools(TOOLS, user_msg="What is the weather in Oslo?")
    if llm.get_tool_calls_from_response(reply, error_on_no_tool_call=False):
        return "called"
    return is_text(reply.message.content)


@call
def tools_required():
    return called(llm.chat_with_tools(TOOLS[:1], user_msg="The weather in Oslo?", tool_required=True))


@call
def tools_named():
    return called(llm.chat_with_tools(TOOLS, user_msg="The weather in Oslo?", tool_choice=NAMED))


@call
def tools_stream():
    return called(list(llm.stream_chat_with_tools(TOOLS, user_msg="The weather?", tool_choice=NAMED))[-1])


@call
def tools_back():
    made = llm.chat_with_tools(TOOLS, user_msg="The weather in Oslo?", tool_choice=NAMED)
    (tool,) = llm.get_tool_calls_from_response(made)
    result = ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": tool.tool_id})
    history = [*user("The weather in Oslo?"), made.message, result]
    told = llm.chat_with_tools(TOOLS, chat_history=history, tool_choice="none", extra_body=IN_WORDS)
    return is_text(told.message.content)


@call
def completion():
    raw = OpenAILike(**WHERE, is_chat_model=False, max_tokens=4)
    reply = raw.complete("a red")
    check(isinstance(reply.text, str) and reply.raw.usage.completion_tokens <= 4, reply)
    check("".join(piece.delta for piece in raw.stream_complete("a red")) == reply.text, reply)


@call
def wrong_key():
    OpenAILike(**{**CHAT, "api_key": "wrong"}).chat(user(GREETING))


@call
def wrong_model():
    OpenAILike(**{**CHAT, "model": "other"}).chat(user(GREETING))


@call
def too_long():
    llm.chat(user(LONG))


@call
def logit_bias():
    plain = like(temperature=0).chat(user(GREETING)).message.content
    biased = like(temperature=0, logit_bias={str(id_): -100 for id_ in range(300)}).chat(user(GREETING))
    check(biased.message.content != plain, "logit_bias was ignored")


@call
def penalties():
    plain = like(temperature=0).chat(user(GREETING)).message.content
    for name in ("frequency_penalty", "presence_penalty"):
        reply = like(temperature=0, **{name: 2}).chat(user(GREETING))
        check(reply.message.content != plain, f"{name} was ignored")


@call
def suffix():
    raw = OpenAILike(**WHERE, is_chat_model=False, max_tokens=4, additional_kwargs={"suffix": "heart"}, max_retries=0)
    raw.complete("a red")


main()
