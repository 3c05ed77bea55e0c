"""LiteLLM, with the prefix that its documentation gives for servers that speak OpenAI's API."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import Literal

import litellm
from calls import (
    DRAWING,
    FORMAT,
    GREETING,
    HEARING,
    HEART,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMED,
    NAMING,
    SAID,
    TOOLS,
    URL,
    WEATHER,
    WORDS,
    call,
    check,
    is_drawing,
    is_said,
    is_schema,
    is_sound,
    is_text,
    is_weather,
    main,
    picture_bytes,
    user,
    with_heart,
)
from pydantic import BaseModel

WHERE = {"model": f"openai/{MODEL}", "api_base": URL, "api_key": KEY}


def ask(messages, **options):
    return litellm.completion(**WHERE, messages=messages, **options)


def say(messages, **options):
    return ask(messages, **options).choices[0].message


def text_of(pieces):
    return "".join(piece.choices[0].delta.content or "" for piece in pieces)


@call
def models():
    found = litellm.get_valid_models(
        check_provider_endpoint=True, custom_llm_provider="openai", api_key=KEY, api_base=URL.removesuffix("/v1")
    )
    check(any(name.endswith(MODEL) for name in found), found)


@call
def chat():
    reply = ask(user(GREETING))
    check(reply.usage.completion_tokens > 0 and reply.choices[0].finish_reason == "stop", reply)
    return is_text(reply.choices[0].message.content)


@call
def system():
    return is_text(say([{"role": "system", "content": "Be brief."}, *user(GREETING)]).content)


@call
def turns():
    return is_text(say([*user(GREETING), say(user(GREETING)), *user("Who are you?")]).content)


@call
async def async_():
    reply = await litellm.acompletion(**WHERE, messages=user(GREETING))
    pieces = await litellm.acompletion(**WHERE, messages=user(GREETING), stream=True)
    check(text_of([piece async for piece in pieces]) == reply.choices[0].message.content, reply)


@call
async def parallel():
    options = {"temperature": 0, "modalities": ["text"]}
    asked = [user(f"What colour is a {word}?") for word in WORDS]
    replies = await asyncio.gather(*(litellm.acompletion(**WHERE, messages=one, **options) for one in asked))
    alone = [(await litellm.acompletion(**WHERE, messages=one, **options)) for one in asked]
    said = [reply.choices[0].message.content for reply in replies]
    check(said == [reply.choices[0].message.content for reply in alone], said)


@call
def stream():
    said = text_of(ask(user(GREETING), stream=True, temperature=0))
    check(said == say(user(GREETING), temperature=0).content, said)
    return said


@call
def stream_usage():
    pieces = list(ask(user(GREETING), stream=True, stream_options={"include_usage": True}))
    check(pieces[-1].usage.completion_tokens > 0, pieces[-1])


@call
def cancel():
    next(iter(ask(user(DRAWING), stream=True)))
    return is_text(say(user(GREETING)).content)


@call
def timeout():
    try:
        ask(user(DRAWING), timeout=0.005, max_retries=0)
    except litellm.Timeout:
        return is_text(say(user(GREETING)).content)
    raise AssertionError("answered within 5 ms")


@call
def picture():
    said = say(with_heart(NAMING), modalities=["text"], temperature=0).content
    check(NAME in said, said)
    return said


@call
def drawing():
    return "message.images: " + is_drawing(say(user(DRAWING)).images[0]["image_url"]["url"])


@call
def drawing_stream():
    pieces = list(ask(user(DRAWING), stream=True))
    images = [one for piece in pieces for one in getattr(piece.choices[0].delta, "images", None) or []]
    check(len(images) == 1, [piece.choices[0].delta for piece in pieces][-2:])
    return "delta.images: " + is_drawing(images[0]["image_url"]["url"])


@call
def drawing_back():
    message = say(user(DRAWING))
    for back in (message, message.model_dump(), {"role": message.role, "content": message.content}):
        said = say([*user(DRAWING), back, *user(GREETING)], modalities=["text"]).content
    return is_text(said)


@call
def n():
    choices = ask(user("What is a heart?"), n=2, temperature=1).choices
    check([one.index for one in choices] == [0, 1], choices)


@call
def stop():
    whole = say(user(GREETING), temperature=0).content
    word = whole.split()[2]
    check(say(user(GREETING), temperature=0, stop=[word]).content == whole[: whole.index(word)], whole)


@call
def seed():
    said = [say(with_heart("Name it."), temperature=1.5, modalities=["text"], seed=number).content
            for number in (3, 3, 4, 5, 6)]  # fmt: skip
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def greedy():
    said = {say(with_heart(NAMING), temperature=0, modalities=["text"]).content for _ in range(3)}
    check(len(said) == 1, said)


@call
def max_tokens():
    for name in ("max_tokens", "max_completion_tokens"):
        reply = ask(user(GREETING), **{name: 3})
        check(reply.usage.completion_tokens == 3 and reply.choices[0].finish_reason == "length", reply)


@call
def logprobs():
    reply = ask(user(GREETING), logprobs=True, top_logprobs=3)
    told = reply.choices[0].logprobs.content
    check(len(told) == reply.usage.completion_tokens and all(one.logprob <= 0 for one in told), told)


@call
def json_object():
    said = say(user("Tell me of a red heart, as JSON."), response_format={"type": "json_object"}).content
    check(isinstance(json.loads(said), dict), said)
    return said


class Pictogram(BaseModel):
    name: str
    colour: Literal["red", "green", "blue"]
    count: int


@call
def json_schema():
    is_schema(say(user("One red heart."), response_format=FORMAT).content)
    return is_schema(say(user("One red heart."), response_format=Pictogram).content)


@call
def json_stream():
    # Sampled, since LiteLLM ends a stream that repeats itself a hundred times, as a tiny model does when greedy.
    pieces = ask(user("One red heart."), response_format=FORMAT, stream=True, temperature=1, seed=1)
    return is_schema(text_of(pieces))


@call
def tools_auto():
    message = say(user("What is the weather in Oslo?"), tools=TOOLS)
    check(all(tool.function.name in ("weather", "clock") for tool in message.tool_calls or ()), message)
    return "called" if message.tool_calls else is_text(message.content)


@call
def tools_required():
    (tool,) = say(user("The weather in Oslo?"), tools=TOOLS[:1], tool_choice="required").tool_calls
    return is_weather(tool.function.name, tool.function.arguments)


@call
def tools_named():
    (tool,) = say(user("The weather in Oslo?"), tools=TOOLS, tool_choice=NAMED).tool_calls
    return is_weather(tool.function.name, tool.function.arguments)


@call
def tools_stream():
    pieces = list(ask(user("The weather?"), tools=TOOLS, tool_choice=NAMED, stream=True))
    (tool,) = litellm.stream_chunk_builder(pieces).choices[0].message.tool_calls
    return is_weather(tool.function.name, tool.function.arguments)


@call
def tools_back():
    message = say(user("The weather in Oslo?"), tools=TOOLS, tool_choice=NAMED)
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    asked = [*user("The weather in Oslo?"), message, result]
    return is_text(say(asked, tools=TOOLS, tool_choice="none").content)


RAW = {**WHERE, "model": f"text-completion-openai/{MODEL}"}


@call
def completion():
    reply = litellm.text_completion(**RAW, prompt="a red", max_tokens=4)
    check(reply.usage.completion_tokens <= 4 and isinstance(reply.choices[0].text, str), reply)


@call
def completion_echo():
    reply = litellm.text_completion(**RAW, prompt="a red heart", max_tokens=1, echo=True, logprobs=1)
    told = reply.choices[0].logprobs
    check(reply.choices[0].text.startswith("a red heart") and len(told.tokens) > 2, reply)
    check(told.token_logprobs[0] is None and told.token_logprobs[1] < 0, told)


@call
def images():
    told = litellm.image_generation(**WHERE, prompt=DRAWING, n=2, size="128x128")
    check(len(told.data) == 2, told)
    return is_drawing(told.data[1].b64_json)


@call
def responses():
    reply = litellm.responses(**WHERE, input=GREETING, instructions="Be brief.")
    check(reply.status == "completed", reply)
    return is_text(reply.output[-1].content[0].text)


@call
def responses_stream():
    events = list(litellm.responses(**WHERE, input=GREETING, stream=True))
    said = "".join(one.delta for one in events if one.type == "response.output_text.delta")
    check(events[-1].type == "response.completed", events[-1])
    return is_text(said)


@call
def responses_picture():
    parts = [{"type": "input_text", "text": NAMING}, {"type": "input_image", "image_url": HEART, "detail": "auto"}]
    said = litellm.responses(**WHERE, input=user(parts), temperature=0).output[-1].content[0].text
    check(NAME in said, said)


@call
def responses_drawing():
    reply = litellm.responses(**WHERE, input=DRAWING, tools=[{"type": "image_generation"}])
    made = [dict(one) for one in reply.output if dict(one)["type"] == "image_generation_call"]
    return "image_generation_call: " + is_drawing(made[0]["result"])


@call
def responses_tools():
    tool = {"type": "function", "strict": True, **WEATHER}
    reply = litellm.responses(**WHERE, input=user("The weather in Oslo?"), tools=[tool], tool_choice="required")
    (made,) = [one for one in reply.output if one.type == "function_call"]
    return is_weather(made.name, made.arguments)


@call
def wrong_key():
    litellm.completion(**{**WHERE, "api_key": "wrong"}, messages=user(GREETING))


@call
def wrong_model():
    litellm.completion(**{**WHERE, "model": "openai/other"}, messages=user(GREETING))


@call
def too_long():
    say(user(LONG))


@call
def too_long_kind():
    try:
        say(user(LONG))
    except litellm.ContextWindowExceededError:
        return "ContextWindowExceededError"


@call
def logit_bias():
    plain = say(user(GREETING), temperature=0).content
    biased = say(user(GREETING), temperature=0, logit_bias={str(id_): -100 for id_ in range(300)})
    check(biased.content != plain, "logit_bias was ignored")


@call
def penalties():
    plain = say(user(GREETING), temperature=0).content
    for name in ("frequency_penalty", "presence_penalty"):
        check(say(user(GREETING), temperature=0, **{name: 2}).content != plain, f"{name} was ignored")


@call
def suffix():
    litellm.text_completion(**RAW, prompt="a red", suffix="heart", max_tokens=4)


@call
def embeddings():
    litellm.embedding(**WHERE, input=["a red heart"])


def recording():
    return litellm.speech(**WHERE, voice="default", input=SAID, response_format="wav").content


@call
def speech():
    return is_sound(recording())


@call
def transcription():
    return is_said(litellm.transcription(**WHERE, file=("said.wav", io.BytesIO(recording()))).text)


@call
def hearing():
    heard = {"data": base64.b64encode(recording()).decode(), "format": "wav"}
    asked = [{"type": "input_audio", "input_audio": heard}, {"type": "text", "text": HEARING}]
    return is_said(say(user(asked), temperature=0).content)


@call
def saying():
    reply = say(user(f"Say: {SAID}"), modalities=["audio"], audio={"voice": "default", "format": "wav"})
    return f"message.audio: {is_sound(base64.b64decode(reply.audio.data))}"


@call
def voice():
    litellm.speech(**WHERE, voice="alloy", input=SAID)


@call
def mute():
    litellm.speech(**WHERE, voice="default", input=SAID)


@call
def deaf():
    litellm.transcription(**WHERE, file=("hello.wav", io.BytesIO(b"RIFF")))


@call
def edit():
    litellm.image_edit(**WHERE, image=[io.BytesIO(picture_bytes())], prompt="Make it blue.")


@call
def moderations():
    litellm.moderation(**WHERE, input="a red heart")


main()
