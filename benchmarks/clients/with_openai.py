"""OpenAI's client for Python."""

from __future__ import annotations

import asyncio
from typing import Literal

import openai
import openai_sound  # noqa: F401, its calls register themselves
from calls import (
    DRAWING,
    FORMAT,
    GREETING,
    HEART,
    IN_WORDS,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMED,
    NAMING,
    TOOLS,
    URL,
    WEATHER,
    WORDS,
    call,
    check,
    is_drawing,
    is_schema,
    is_text,
    is_weather,
    main,
    picture_bytes,
    user,
    with_heart,
)
from pydantic import BaseModel

client = openai.OpenAI(base_url=URL, api_key=KEY)
create = client.chat.completions.create


def say(messages, **options):
    return create(model=MODEL, messages=messages, **options).choices[0].message


@call
def models():
    (card,) = client.models.list().data
    check(card.id == MODEL and client.models.retrieve(MODEL).id == MODEL, card)
    return card.id


@call
def chat():
    reply = create(model=MODEL, messages=user(GREETING))
    check(reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens, reply.usage)
    check(reply.choices[0].finish_reason == "stop" and reply.object == "chat.completion", reply)
    return is_text(reply.choices[0].message.content)


@call
def system():
    return is_text(say([{"role": "system", "content": "Be brief."}, *user(GREETING)]).content)


@call
def turns():
    first = say(user(GREETING))
    return is_text(say([*user(GREETING), first, *user("Who are you?")]).content)


@call
async def async_():
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as other:
        reply = await other.chat.completions.create(model=MODEL, messages=user(GREETING), temperature=0)
    check(reply.choices[0].message.content == say(user(GREETING), temperature=0).content, reply)


@call
async def parallel():
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as other:
        asked = [user(f"What colour is a {word}?") for word in WORDS]
        options = {"model": MODEL, "modalities": ["text"], "temperature": 0}
        replies = await asyncio.gather(*(other.chat.completions.create(messages=one, **options) for one in asked))
        alone = [(await other.chat.completions.create(messages=one, **options)) for one in asked]
    said = [reply.choices[0].message.content for reply in replies]
    check(said == [reply.choices[0].message.content for reply in alone], said)
    check(len({reply.id for reply in replies}) == len(WORDS), "ids that repeat")


@call
def stream():
    pieces = create(model=MODEL, messages=user(GREETING), stream=True, temperature=0)
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    check(said == say(user(GREETING), temperature=0).content, said)
    return said


@call
def stream_usage():
    pieces = list(create(model=MODEL, messages=user(GREETING), stream=True, stream_options={"include_usage": True}))
    check(pieces[-1].choices == [] and pieces[-1].usage.completion_tokens > 0, pieces[-1])
    check(all(piece.usage is None for piece in pieces[:-1]), pieces[0])


@call
def cancel():
    with create(model=MODEL, messages=user(DRAWING), stream=True) as pieces:
        next(iter(pieces))
    return is_text(say(user(GREETING)).content)


@call
def timeout():
    try:
        create(model=MODEL, messages=user(DRAWING), timeout=0.005)
    except openai.APITimeoutError:
        return is_text(say(user(GREETING)).content)
    raise AssertionError("answered within 5 ms")


@call
def picture():
    said = say(with_heart(NAMING), modalities=["text"], temperature=0).content
    check(NAME in said, said)
    return said


@call
def drawing():
    message = say(user(DRAWING))
    check(message.parts[-1]["type"] == "image_url", message)
    seen = is_drawing(message.images[0]["image_url"]["url"])
    check(message.images[0]["image_url"]["url"] == message.parts[-1]["image_url"]["url"], "images differ from parts")
    return f"message.images: {seen}"


@call
def drawing_stream():
    pieces = list(create(model=MODEL, messages=user(DRAWING), stream=True))
    images = [one for piece in pieces for one in getattr(piece.choices[0].delta, "images", None) or []]
    check(len(images) == 1, [piece.choices[0].delta for piece in pieces][-3:])
    return f"delta.images: {is_drawing(images[0]['image_url']['url'])}"


@call
def drawing_back():
    message = say(user(DRAWING))
    for back in (message, {"role": message.role, "content": message.content}, {"role": "assistant", "content": ""}):
        said = say([*user(DRAWING), back, *user(GREETING)], modalities=["text"]).content
    return is_text(said)


@call
def n():
    choices = create(model=MODEL, messages=user("What is a heart?"), n=2, temperature=1, seed=5).choices
    check([one.index for one in choices] == [0, 1], choices)
    return is_text(choices[1].message.content)


@call
def stop():
    asked = {"model": MODEL, "messages": user(GREETING), "temperature": 0}
    whole = create(**asked).choices[0].message.content
    word = whole.split()[2]
    for stops in (word, ["@@", word]):
        choice = create(**asked, stop=stops).choices[0]
        check(choice.message.content == whole[: whole.index(word)] and choice.finish_reason == "stop", choice)


@call
def seed():
    said = [say(with_heart("Name it."), temperature=1.5, modalities=["text"], seed=number).content
            for number in (3, 3, 4, 5, 6)]  # fmt: skip
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def greedy():
    said = {say(with_heart(NAMING), temperature=0, modalities=["text"], seed=number).content for number in (1, 2, 3)}
    check(len(said) == 1, said)


@call
def max_tokens():
    for name in ("max_tokens", "max_completion_tokens"):
        reply = create(model=MODEL, messages=user(GREETING), **{name: 3})
        check(reply.usage.completion_tokens == 3 and reply.choices[0].finish_reason == "length", reply)


@call
def logprobs():
    reply = create(model=MODEL, messages=user(GREETING), logprobs=True, top_logprobs=3, temperature=0)
    told = reply.choices[0].logprobs.content
    check(len(told) == reply.usage.completion_tokens, told)
    check(all(one.logprob <= 0 and one.top_logprobs[0].token == one.token for one in told[:-1]), told)
    check("".join(one.token for one in told).startswith(reply.choices[0].message.content[:10]), told)


@call
def json_object():
    import json

    said = say(user("Tell me of a red heart, as JSON."), response_format={"type": "json_object"}).content
    check(isinstance(json.loads(said), dict), said)
    return said


class Pictogram(BaseModel):
    name: str
    colour: Literal["red", "green", "blue"]
    count: int


@call
def json_schema():
    for temperature in (0, 1):
        is_schema(say(user("One red heart."), response_format=FORMAT, temperature=temperature).content)
    asked = client.chat.completions.parse(model=MODEL, messages=user("One red heart."), response_format=Pictogram)
    return is_schema(asked.choices[0].message.parsed.model_dump())


@call
def json_stream():
    pieces = create(model=MODEL, messages=user("One red heart."), response_format=FORMAT, stream=True)
    return is_schema("".join(piece.choices[0].delta.content or "" for piece in pieces))


@call
def tools_auto():
    message = say(user("What is the weather in Oslo?"), tools=TOOLS)
    for tool in message.tool_calls or ():
        check(tool.function.name in ("weather", "clock"), tool)
    return "called" if message.tool_calls else is_text(message.content)


@call
def tools_required():
    reply = create(model=MODEL, messages=user("The weather in Oslo?"), tools=TOOLS[:1], tool_choice="required")
    check(reply.choices[0].finish_reason == "tool_calls", reply)
    (tool,) = reply.choices[0].message.tool_calls
    return is_weather(tool.function.name, tool.function.arguments)


@call
def tools_named():
    (tool,) = say(user("The weather in Oslo?"), tools=TOOLS, tool_choice=NAMED).tool_calls
    check(tool.id and tool.type == "function", tool)
    return is_weather(tool.function.name, tool.function.arguments)


@call
def tools_stream():
    pieces = create(model=MODEL, messages=user("The weather?"), tools=TOOLS, tool_choice=NAMED, stream=True)
    told = [one for piece in pieces for one in piece.choices[0].delta.tool_calls or ()]
    check(told and told[0].id and {one.index for one in told} == {0}, told)
    name = "".join(one.function.name or "" for one in told)
    return is_weather(name, "".join(one.function.arguments or "" for one in told))


@call
def tools_back():
    asked = user("The weather in Oslo?")
    message = say(asked, tools=TOOLS, tool_choice=NAMED)
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    return is_text(say([*asked, message, result], tools=TOOLS, tool_choice="none").content)


@call
def completion():
    reply = client.completions.create(model=MODEL, prompt="a red", max_tokens=4)
    check(reply.usage.completion_tokens <= 4 and reply.object == "text_completion", reply)
    pieces = client.completions.create(model=MODEL, prompt="a red", max_tokens=4, stream=True, temperature=0)
    whole = client.completions.create(model=MODEL, prompt="a red", max_tokens=4, temperature=0)
    check("".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text, whole)


@call
def completion_echo():
    reply = client.completions.create(model=MODEL, prompt="a red heart", max_tokens=0, echo=True, logprobs=1)
    told = reply.choices[0].logprobs
    check(reply.choices[0].text == "a red heart" and reply.usage.completion_tokens == 0, reply)
    check("".join(told.tokens) == "a red heart" and len(told.tokens) == reply.usage.prompt_tokens, told)
    check(told.token_logprobs[0] is None and all(one < 0 for one in told.token_logprobs[1:]), told)
    more = client.completions.create(model=MODEL, prompt="a red heart", max_tokens=1, echo=True, logprobs=1)
    check(more.choices[0].logprobs.tokens[:-1] == told.tokens, more)


@call
def images():
    told = client.images.generate(model=MODEL, prompt=DRAWING, n=2, response_format="b64_json", size="128x128")
    check(len(told.data) == 2 and "128 x 128" in is_drawing(told.data[0].b64_json), told.data[0].b64_json[:50])
    return is_drawing(client.images.generate(model=MODEL, prompt=DRAWING).data[0].b64_json)


@call
def images_stream():
    events = list(client.images.generate(model=MODEL, prompt=DRAWING, stream=True, partial_images=1))
    check(bool(events) and events[-1].type == "image_generation.completed", events[-1:])
    return is_drawing(events[-1].b64_json)


@call
def responses():
    reply = client.responses.create(model=MODEL, input=GREETING, instructions="Be brief.")
    check(reply.status == "completed" and reply.usage.output_tokens > 0, reply)
    again = client.responses.create(model=MODEL, input=[*user(GREETING), *reply.output, *user("Who are you?")])
    return is_text(again.output_text) and is_text(reply.output_text)


@call
def responses_stream():
    events = list(client.responses.create(model=MODEL, input=GREETING, stream=True))
    said = "".join(one.delta for one in events if one.type == "response.output_text.delta")
    check(events[0].type == "response.created" and events[-1].type == "response.completed", events[-1])
    check(said == events[-1].response.output_text, said)
    return is_text(said)


@call
def responses_picture():
    parts = [{"type": "input_text", "text": NAMING}, {"type": "input_image", "image_url": HEART, "detail": "auto"}]
    said = client.responses.create(model=MODEL, input=user(parts), temperature=0).output_text
    check(NAME in said, said)
    return said


@call
def responses_drawing():
    reply = client.responses.create(model=MODEL, input=DRAWING, tools=[{"type": "image_generation"}])
    (made,) = [one for one in reply.output if one.type == "image_generation_call"]
    seen = is_drawing(made.result)
    client.responses.create(model=MODEL, input=[*user(DRAWING), *reply.output, *user(GREETING)])
    return f"image_generation_call: {seen}"


@call
def responses_tools():
    tool = {"type": "function", "strict": True, **WEATHER}
    asked = user("The weather in Oslo?")
    reply = client.responses.create(model=MODEL, input=asked, tools=[tool], tool_choice="required")
    (made,) = [one for one in reply.output if one.type == "function_call"]
    result = {"type": "function_call_output", "call_id": made.call_id, "output": "sunny"}
    again = client.responses.create(
        model=MODEL, input=[*asked, *reply.output, result], tools=[tool], tool_choice="none", extra_body=IN_WORDS
    )
    return is_weather(made.name, made.arguments) and is_text(again.output_text)


@call
def responses_json():
    reply = client.responses.parse(model=MODEL, input="One red heart.", text_format=Pictogram)
    return is_schema(reply.output_parsed.model_dump())


@call
def wrong_key():
    openai.OpenAI(base_url=URL, api_key="wrong").models.list()


@call
def wrong_model():
    create(model="gpt-5", messages=user(GREETING))


@call
def too_long():
    say(user(LONG))


@call
def logit_bias():
    whole = say(user(GREETING), temperature=0, logit_bias={})  # nothing asked for
    ids = client.post("/tokenize", body={"model": MODEL, "content": whole.content}, cast_to=object)["ids"]
    biased = say(user(GREETING), temperature=0, logit_bias={str(id_): -100 for id_ in ids})
    check(biased.content != whole.content, "the bias was ignored")


@call
def penalties():
    say(user(GREETING), frequency_penalty=0, presence_penalty=0)  # nothing asked for
    plain = say(user(GREETING), temperature=0).content
    for name in ("frequency_penalty", "presence_penalty"):
        check(say(user(GREETING), temperature=0, **{name: 2}).content != plain, f"{name} was ignored")


@call
def suffix():
    client.completions.create(model=MODEL, prompt="a red", suffix="heart", max_tokens=4)


@call
def embeddings():
    client.embeddings.create(model=MODEL, input="a red heart")


@call
def edit():
    client.images.edit(model=MODEL, image=("heart.png", picture_bytes()), prompt="Make it blue.")


@call
def moderations():
    client.moderations.create(model=MODEL, input="a red heart")


main()
