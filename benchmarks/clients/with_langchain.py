"""LangChain's package for OpenAI's API."""

from __future__ import annotations

import base64
import json
from typing import Literal

import openai
from calls import (
    DRAWING,
    GREETING,
    HEARING,
    IN_WORDS,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMED,
    NAMING,
    TOOLS,
    URL,
    WORDS,
    ClientCannot,
    call,
    check,
    is_drawing,
    is_said,
    is_schema,
    is_text,
    is_weather,
    main,
    recording,
    with_heart,
)
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

WHERE = {"model": MODEL, "base_url": URL, "api_key": KEY}
WORDS_ONLY = {"extra_body": {"modalities": ["text"]}}
model = ChatOpenAI(**WHERE)


@call
def chat():
    reply = model.invoke(GREETING)
    check(reply.usage_metadata["output_tokens"] > 0, reply)
    check(reply.response_metadata["finish_reason"] == "stop", reply)
    return is_text(reply.content)


@call
def system():
    return is_text(model.invoke([SystemMessage("Be brief."), HumanMessage(GREETING)]).content)


@call
def turns():
    asked = [HumanMessage(GREETING), model.invoke(GREETING), HumanMessage("Who are you?")]
    return is_text(model.invoke(asked).content)


@call
async def async_():
    pieces = [piece.content async for piece in model.astream(GREETING)]
    check("".join(pieces) == (await model.ainvoke(GREETING)).content, pieces)


@call
def parallel():
    asked = [f"What colour is a {word}?" for word in WORDS]
    exact = ChatOpenAI(**WHERE, temperature=0, **WORDS_ONLY)
    together = [reply.content for reply in exact.batch(asked)]
    check(together == [exact.invoke(one).content for one in asked], together)


@call
def stream():
    said = "".join(piece.content for piece in model.stream(GREETING))
    check(said == model.invoke(GREETING).content, said)
    return said


@call
def stream_usage():
    pieces = list(ChatOpenAI(**WHERE, stream_usage=True).stream(GREETING))
    usage = [piece.usage_metadata for piece in pieces if piece.usage_metadata]
    check(len(usage) == 1 and usage[0]["output_tokens"] > 0, usage)


@call
def cancel():
    pieces = model.stream(DRAWING)
    next(pieces)
    pieces.close()
    return is_text(model.invoke(GREETING).content)


@call
def timeout():
    try:
        ChatOpenAI(**WHERE, timeout=0.005, max_retries=0).invoke(DRAWING)
    except openai.APITimeoutError:
        return is_text(model.invoke(GREETING).content)
    raise AssertionError("answered within 5 ms")


@call
def picture():
    said = model.invoke(with_heart(NAMING), temperature=0).content
    check(NAME in said, said)
    return said


@call
def hearing():
    heard = {"type": "audio", "base64": base64.b64encode(recording()).decode(), "mime_type": "audio/wav"}
    return is_said(model.invoke([HumanMessage([heard, {"type": "text", "text": HEARING}])], temperature=0).content)


LOST = "an answer of chat completions keeps content, audio and calls only; drawings come by responses, see there"


@call
def drawing():
    reply = model.invoke(DRAWING)
    if "base64" not in json.dumps(reply.model_dump(), default=str):
        raise ClientCannot(LOST)


@call
def drawing_stream():
    whole = None
    for piece in model.stream(DRAWING):
        whole = piece if whole is None else whole + piece
    if "base64" not in json.dumps(whole.model_dump(), default=str):
        raise ClientCannot(LOST)


@call
def drawing_back():
    asked = [HumanMessage(DRAWING), model.invoke(DRAWING), HumanMessage(GREETING)]
    return is_text(ChatOpenAI(**WHERE, **WORDS_ONLY).invoke(asked).content)


@call
def n():
    told = ChatOpenAI(**WHERE, n=2, temperature=1).generate([[HumanMessage("What is a heart?")]])
    check(len(told.generations[0]) == 2, told)


@call
def stop():
    whole = model.invoke(GREETING, temperature=0).content
    word = whole.split()[2]
    check(model.invoke(GREETING, temperature=0, stop=[word]).content == whole[: whole.index(word)], whole)


@call
def seed():
    said = [ChatOpenAI(**WHERE, temperature=1.5, seed=number, **WORDS_ONLY).invoke(with_heart("Name it.")).content
            for number in (3, 3, 4, 5, 6)]  # fmt: skip
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def greedy():
    said = {ChatOpenAI(**WHERE, temperature=0, **WORDS_ONLY).invoke(with_heart(NAMING)).content for _ in range(3)}
    check(len(said) == 1, said)


@call
def max_tokens():
    reply = ChatOpenAI(**WHERE, max_tokens=3).invoke(GREETING)
    check(reply.usage_metadata["output_tokens"] == 3, reply)
    check(reply.response_metadata["finish_reason"] == "length", reply)


@call
def logprobs():
    reply = model.bind(logprobs=True, top_logprobs=3).invoke(GREETING)
    told = reply.response_metadata["logprobs"]["content"]
    check(len(told) == reply.usage_metadata["output_tokens"] and all(one["logprob"] <= 0 for one in told), told)


class Pictogram(BaseModel):
    """A pictogram."""

    name: str
    colour: Literal["red", "green", "blue"]
    count: int


@call
def json_object():
    said = model.bind(response_format={"type": "json_object"}).invoke("Tell me of a red heart, as JSON.").content
    check(isinstance(json.loads(said), dict), said)
    return said


@call
def json_schema():
    called = model.with_structured_output(Pictogram, method="function_calling").invoke("One red heart.")
    is_schema(called.model_dump())
    return is_schema(model.with_structured_output(Pictogram).invoke("One red heart.").model_dump())


@call
def json_stream():
    pieces = list(model.with_structured_output(Pictogram.model_json_schema()).stream("One red heart."))
    return is_schema(pieces[-1])


@call
def tools_auto():
    reply = model.bind_tools(TOOLS).invoke("What is the weather in Oslo?")
    check(not reply.invalid_tool_calls, reply)
    return "called" if reply.tool_calls else is_text(reply.content)


@call
def tools_required():
    (tool,) = model.bind_tools(TOOLS[:1], tool_choice="required").invoke("The weather in Oslo?").tool_calls
    return is_weather(tool["name"], tool["args"])


@call
def tools_named():
    (tool,) = model.bind_tools(TOOLS, tool_choice="weather").invoke("The weather in Oslo?").tool_calls
    return is_weather(tool["name"], tool["args"])


@call
def tools_stream():
    whole = None
    for piece in model.bind_tools(TOOLS, tool_choice=NAMED).stream("The weather?"):
        whole = piece if whole is None else whole + piece
    (tool,) = whole.tool_calls
    return is_weather(tool["name"], tool["args"])


@call
def tools_back():
    asked = HumanMessage("The weather in Oslo?")
    made = model.bind_tools(TOOLS, tool_choice="weather").invoke([asked])
    result = ToolMessage("sunny", tool_call_id=made.tool_calls[0]["id"])
    return is_text(model.bind_tools(TOOLS, tool_choice="none").invoke([asked, made, result]).content)


@call
def completion():
    check(isinstance(OpenAI(**WHERE, max_tokens=4).invoke("a red"), str), "no string")


spoken = ChatOpenAI(**WHERE, use_responses_api=True)


@call
def responses():
    reply = spoken.invoke([SystemMessage("Be brief."), HumanMessage(GREETING)])
    again = spoken.invoke([HumanMessage(GREETING), reply, HumanMessage("Who are you?")])
    check(reply.usage_metadata["output_tokens"] > 0, reply)
    return is_text(again.text) and is_text(reply.text)


@call
def responses_stream():
    return is_text("".join(piece.text for piece in spoken.stream(GREETING)))


@call
def responses_picture():
    said = spoken.invoke(with_heart(NAMING)).text
    check(NAME in said, said)


@call
def responses_drawing():
    reply = spoken.bind_tools([{"type": "image_generation"}]).invoke(DRAWING)
    (made,) = [block for block in reply.content_blocks if block["type"] == "image"]
    seen = is_drawing(made["base64"])
    is_text(spoken.invoke([HumanMessage(DRAWING), reply, HumanMessage(GREETING)], extra_body=IN_WORDS).text)
    return f"content_blocks: {seen}"


@call
def responses_tools():
    asked = HumanMessage("The weather in Oslo?")
    made = spoken.bind_tools(TOOLS, tool_choice="weather").invoke([asked])
    result = ToolMessage("sunny", tool_call_id=made.tool_calls[0]["id"])
    is_text(spoken.bind_tools(TOOLS, tool_choice="none").invoke([asked, made, result]).text)
    return is_weather(made.tool_calls[0]["name"], made.tool_calls[0]["args"])


@call
def responses_json():
    return is_schema(spoken.with_structured_output(Pictogram).invoke("One red heart.").model_dump())


@call
def wrong_key():
    ChatOpenAI(**{**WHERE, "api_key": "wrong"}).invoke(GREETING)


@call
def wrong_model():
    ChatOpenAI(**{**WHERE, "model": "other"}).invoke(GREETING)


@call
def too_long():
    model.invoke(LONG)


@call
def too_long_kind():
    try:
        model.invoke(LONG)
    except ContextOverflowError:
        return "ContextOverflowError"
    except openai.BadRequestError as error:
        if error.code != "context_length_exceeded":
            raise
        raise ClientCannot("it looks for the code in the error's words, where openai 3.57 does not put it") from error


@call
def logit_bias():
    plain = model.invoke(GREETING, temperature=0).content
    biased = ChatOpenAI(**WHERE, temperature=0, logit_bias=dict.fromkeys(range(300), -100)).invoke(GREETING)
    check(biased.content != plain, "logit_bias was ignored")


@call
def penalties():
    plain = model.invoke(GREETING, temperature=0).content
    for name in ("frequency_penalty", "presence_penalty"):
        reply = ChatOpenAI(**WHERE, temperature=0, **{name: 2}).invoke(GREETING)
        check(reply.content != plain, f"{name} was ignored")


@call
def embeddings():
    OpenAIEmbeddings(**WHERE, check_embedding_ctx_length=False).embed_query("a red heart")


main()
