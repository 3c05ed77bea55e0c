"""inspect_ai, by its provider for servers that speak OpenAI's API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import tempfile
from typing import Literal

from calls import (
    CLOCK,
    DRAWING,
    GREETING,
    HEARING,
    HEART,
    IN_WORDS,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMING,
    SCHEMA,
    URL,
    WEATHER,
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
)
from inspect_ai import Task, eval_async
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentAudio,
    ContentImage,
    ContentText,
    GenerateConfig,
    ResponseSchema,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.tool import ToolFunction, ToolInfo, ToolParams
from pydantic import BaseModel

os.chdir(tempfile.mkdtemp())  # it looks for files of settings
os.environ["INSPECT_DISPLAY"] = "none"
WHERE = {"base_url": URL, "api_key": KEY, "memoize": False}
WORDS_ONLY = {"extra_body": {"modalities": ["text"]}}
TOOLS = [
    ToolInfo(name=tool["name"], description=tool["description"], parameters=ToolParams(**tool["parameters"]))
    for tool in (WEATHER, CLOCK)
]


def model(name=MODEL, api="openai-api", **options):
    return get_model(f"{api}/sensorium/{name}", **{**WHERE, **options})


async def ask(asked, tools=(), choice=None, **config):
    config = GenerateConfig(max_retries=0, **config)
    return await model().generate(asked, tools=list(tools), tool_choice=choice, config=config)


def with_heart(text):
    return [ChatMessageUser(content=[ContentText(text=text), ContentImage(image=HEART)])]


@call
async def chat():
    output = await ask(GREETING)
    check(output.usage.output_tokens > 0 and output.stop_reason == "stop", output)
    return is_text(output.completion)


@call
async def system():
    return is_text((await ask([ChatMessageSystem(content="Be brief."), ChatMessageUser(content=GREETING)])).completion)


@call
async def turns():
    first = (await ask(GREETING)).message
    asked = [ChatMessageUser(content=GREETING), first, ChatMessageUser(content="Who are you?")]
    return is_text((await ask(asked)).completion)


@call
async def async_():
    dataset = [Sample(input=with_heart(NAMING), target=NAME)]
    task = Task(dataset=dataset, scorer=includes(), config=GenerateConfig(temperature=0))
    (log,) = await eval_async(task, model=model(), log_dir=tempfile.mkdtemp())
    check(log.status == "success", log.error)
    (score,) = log.results.scores
    check(score.metrics["accuracy"].value == 1, log.samples[0].output.completion)
    return "an evaluation: accuracy 1"


@call
async def parallel():
    asked = [f"What colour is a {word}?" for word in WORDS]
    together = await asyncio.gather(*(ask(one, temperature=0, **WORDS_ONLY) for one in asked))
    for one, told in zip(asked, together, strict=True):
        check((await ask(one, temperature=0, **WORDS_ONLY)).completion == told.completion, told)


@call
async def stream():
    output = await model(stream=True).generate(GREETING)
    check(output.completion == (await ask(GREETING)).completion, output)
    return output.completion


@call
async def stream_usage():
    output = await model(stream=True).generate(GREETING)
    check(output.usage is not None and output.usage.output_tokens > 0, output.usage)


@call
async def picture():
    said = (await ask(with_heart(NAMING), temperature=0)).completion
    check(NAME in said, said)
    return said


@call
async def hearing():
    heard = "data:audio/wav;base64," + base64.b64encode(recording()).decode()
    asked = [ContentAudio(audio=heard, format="wav"), ContentText(text=HEARING)]
    return is_said((await ask([ChatMessageUser(content=asked)], temperature=0)).completion)


@call
async def drawing():
    output = await ask(DRAWING)
    if "data:image/png" not in output.model_dump_json():
        raise ClientCannot("an answer of chat completions is words and calls only")


@call
async def drawing_back():
    asked = [ChatMessageUser(content=DRAWING), (await ask(DRAWING)).message, ChatMessageUser(content=GREETING)]
    return is_text((await ask(asked, **WORDS_ONLY)).completion)


@call
async def n():
    check(len((await ask("What is a heart?", num_choices=2, temperature=1)).choices) == 2, "not two")


@call
async def stop():
    whole = (await ask(GREETING, temperature=0)).completion
    word = whole.split()[2]
    cut = (await ask(GREETING, temperature=0, stop_seqs=[word])).completion
    check(cut.strip() == whole[: whole.index(word)].strip(), cut)


@call
async def seed():
    said = [(await ask(with_heart("Name it."), temperature=1.5, seed=number, **WORDS_ONLY)).completion
            for number in (3, 3, 4, 5, 6)]  # fmt: skip
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
async def greedy():
    said = {(await ask(with_heart(NAMING), temperature=0)).completion for _ in range(3)}
    check(len(said) == 1, said)


@call
async def max_tokens():
    output = await ask(GREETING, max_tokens=3)
    check(output.usage.output_tokens == 3 and output.stop_reason == "max_tokens", output)


@call
async def logprobs():
    output = await ask(GREETING, logprobs=True, top_logprobs=3)
    told = output.choices[0].logprobs.content
    check(len(told) == output.usage.output_tokens and all(one.logprob <= 0 for one in told), told)


class Pictogram(BaseModel):
    name: str
    colour: Literal["red", "green", "blue"]
    count: int


@call
async def json_object():
    said = (await ask("As JSON.", extra_body={"response_format": {"type": "json_object"}})).completion
    check(isinstance(json.loads(said), dict), said)
    return said


@call
async def json_schema():
    schema = ResponseSchema(name="pictogram", json_schema=SCHEMA, strict=True)
    return is_schema((await ask("One red heart.", response_schema=schema)).completion)


def called(output):
    (tool,) = output.message.tool_calls
    check(tool.parse_error is None, tool)
    return is_weather(tool.function, tool.arguments)


@call
async def tools_auto():
    message = (await ask("What is the weather in Oslo?", TOOLS, "auto", **WORDS_ONLY)).message
    return "called" if message.tool_calls else is_text(message.text)


@call
async def tools_required():
    return called(await ask("The weather in Oslo?", TOOLS[:1], "any"))


@call
async def tools_named():
    return called(await ask("The weather in Oslo?", TOOLS, ToolFunction(name="weather")))


@call
async def tools_back():
    asked = ChatMessageUser(content="The weather in Oslo?")
    made = (await ask([asked], TOOLS, ToolFunction(name="weather"))).message
    result = ChatMessageTool(content="sunny", tool_call_id=made.tool_calls[0].id, function="weather")
    return is_text((await ask([asked, made, result], TOOLS, "none", extra_body=IN_WORDS)).completion)


@call
async def completion():
    output = await model(api="openai-api-completions").generate("a red", config=GenerateConfig(max_tokens=4))
    check(isinstance(output.completion, str) and output.usage.output_tokens <= 4, output)


@call
async def prompt_logprobs():
    config = GenerateConfig(max_tokens=1, prompt_logprobs=1)
    output = await model(api="openai-api-completions").generate("a red heart", config=config)
    told = output.choices[0].prompt_logprobs
    check(told is not None, "prompt_logprobs were ignored")
    check(len(told.content) > 2, told)


@call
async def responses():
    first = await model(responses_api=True).generate(GREETING)
    asked = [ChatMessageUser(content=GREETING), first.message, ChatMessageUser(content="Who are you?")]
    return is_text((await model(responses_api=True).generate(asked)).completion) and is_text(first.completion)


@call
async def responses_picture():
    said = (await model(responses_api=True).generate(with_heart(NAMING))).completion
    check(NAME in said, said)


@call
async def responses_drawing():
    config = GenerateConfig(modalities=["image"])
    output = await model(responses_api=True).generate(DRAWING, config=config)
    images = [part for part in output.message.content if part.type == "image"]
    check(len(images) == 1, output.message)
    return "message.content: " + is_drawing(images[0].image)


@call
async def responses_tools():
    spoken = model(responses_api=True)
    asked = ChatMessageUser(content="The weather in Oslo?")
    output = await spoken.generate([asked], tools=TOOLS, tool_choice=ToolFunction(name="weather"))
    result = ChatMessageTool(content="sunny", tool_call_id=output.message.tool_calls[0].id, function="weather")
    again = await spoken.generate([asked, output.message, result], tools=TOOLS, tool_choice="none")
    check(again.message.content, again)  # words or a drawing: it has no way to ask responses for words
    return called(output)


@call
async def responses_json():
    schema = ResponseSchema(name="pictogram", json_schema=SCHEMA, strict=True)
    config = GenerateConfig(response_schema=schema)
    return is_schema((await model(responses_api=True).generate("One red heart.", config=config)).completion)


@call
async def wrong_key():
    await model(api_key="wrong").generate(GREETING)


@call
async def wrong_model():
    await model("other").generate(GREETING)


class Refused(Exception):
    """What inspect_ai turns into an answer that says why it stopped."""

    status_code = 400


@call
async def too_long():
    output = await ask(LONG)
    raise Refused(output.completion)


@call
async def too_long_kind():
    output = await ask(LONG)
    check(output.stop_reason == "model_length", output)
    return "stop_reason model_length"


@call
async def logit_bias():
    plain = (await ask(GREETING, temperature=0)).completion
    biased = await ask(GREETING, temperature=0, logit_bias=dict.fromkeys(range(300), -100))
    check(biased.completion != plain, "logit_bias was ignored")


@call
async def penalties():
    plain = (await ask(GREETING, temperature=0)).completion
    for name in ("frequency_penalty", "presence_penalty"):
        check((await ask(GREETING, temperature=0, **{name: 2})).completion != plain, f"{name} was ignored")


main()
