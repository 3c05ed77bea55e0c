"""pydantic-ai, by its agents and, where an agent would loop, by its direct requests."""

from __future__ import annotations

import asyncio
import warnings
from typing import Literal

from calls import (
    CLOCK,
    DRAWING,
    GREETING,
    HEARING,
    IN_WORDS,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMING,
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
    picture_bytes,
    recording,
)
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    BinaryContent,
    BinaryImage,
    Embedder,
    ImageGenerator,
    ModelContextWindowExceededError,
    ModelRequest,
    NativeOutput,
    PromptedOutput,
    ToolDefinition,
    ToolOutput,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UsageLimits,
)
from pydantic_ai.direct import model_request_sync
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.images.openai import OpenAIImageGenerationModel
from pydantic_ai.messages import ToolReturnPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

warnings.simplefilter("ignore")
provider = OpenAIProvider(base_url=URL, api_key=KEY)
model = OpenAIChatModel(MODEL, provider=provider)
agent = Agent(model)
HEART_IN = BinaryContent(picture_bytes(), media_type="image/png")
WORDS_ONLY = {"extra_body": {"modalities": ["text"]}}


class Pictogram(BaseModel):
    """A pictogram."""

    name: str
    colour: Literal["red", "green", "blue"]
    count: int


@call
def chat():
    told = agent.run_sync(GREETING)
    check(told.usage.output_tokens > 0, told)
    return is_text(told.output)


@call
def system():
    return is_text(Agent(model, instructions="Be brief.").run_sync(GREETING).output)


@call
def turns():
    first = agent.run_sync(GREETING)
    return is_text(agent.run_sync("Who are you?", message_history=first.all_messages()).output)


@call
async def async_():
    return is_text((await agent.run(GREETING)).output)


@call
async def parallel():
    settings = {"temperature": 0, **WORDS_ONLY}
    asked = [f"What colour is a {word}?" for word in WORDS]
    together = await asyncio.gather(*(agent.run(one, model_settings=settings) for one in asked))
    for one, told in zip(asked, together, strict=True):
        check((await agent.run(one, model_settings=settings)).output == told.output, told.output)


@call
async def stream():
    async with agent.run_stream(GREETING) as pieces:
        said = "".join([piece async for piece in pieces.stream_text(delta=True)])
    check(said == (await agent.run(GREETING)).output, said)
    return said


@call
async def stream_usage():
    async with agent.run_stream(GREETING) as pieces:
        await pieces.get_output()
        usage = pieces.usage() if callable(pieces.usage) else pieces.usage
    check(usage.output_tokens > 0, usage)


@call
async def cancel():
    async with agent.run_stream("Who are you?") as pieces:
        async for _ in pieces.stream_text(delta=True):
            break
    return is_text((await agent.run(GREETING)).output)


@call
def timeout():
    try:
        agent.run_sync(DRAWING, model_settings={"timeout": 0.005, "max_retries": 0})
    except Exception as error:
        check("tim" in f"{error!r} {error.__cause__!r}".lower(), repr(error))
        return is_text(agent.run_sync(GREETING).output)
    raise AssertionError("answered within 5 ms")


@call
def picture():
    said = agent.run_sync([NAMING, HEART_IN], model_settings={"temperature": 0}).output
    check(NAME in said, said)
    return said


@call
def hearing():
    heard = BinaryContent(recording(), media_type="audio/wav")
    return is_said(agent.run_sync([heard, HEARING], model_settings={"temperature": 0}).output)


@call
def drawing():
    reply = model_request_sync(model, [ModelRequest.user_text_prompt(DRAWING)])
    if not reply.files:
        raise ClientCannot("an answer of chat completions is words and calls only; drawings come by responses")
    return is_drawing(reply.files[0].data)


@call
def drawing_back():
    made = model_request_sync(model, [ModelRequest.user_text_prompt(DRAWING)])
    asked = [ModelRequest.user_text_prompt(DRAWING), made, ModelRequest.user_text_prompt(GREETING)]
    return is_text(model_request_sync(model, asked, model_settings=WORDS_ONLY).text)


@call
def stop():
    whole = agent.run_sync(GREETING, model_settings={"temperature": 0}).output
    word = whole.split()[2]
    cut = agent.run_sync(GREETING, model_settings={"temperature": 0, "stop_sequences": [word]}).output
    check(cut.strip() == whole[: whole.index(word)].strip(), cut)


@call
def seed():
    said = []
    for number in (3, 3, 4, 5, 6):
        settings = {"temperature": 1.5, "seed": number, **WORDS_ONLY}
        said.append(agent.run_sync(["Name it.", HEART_IN], model_settings=settings).output)
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def greedy():
    said = {agent.run_sync([NAMING, HEART_IN], model_settings={"temperature": 0}).output for _ in range(3)}
    check(len(said) == 1, said)


@call
def max_tokens():
    reply = model_request_sync(model, [ModelRequest.user_text_prompt(GREETING)], model_settings={"max_tokens": 3})
    check(reply.usage.output_tokens == 3 and reply.finish_reason == "length", reply)


@call
def logprobs():
    settings = {"openai_logprobs": True, "openai_top_logprobs": 3}
    reply = model_request_sync(model, [ModelRequest.user_text_prompt(GREETING)], model_settings=settings)
    told = reply.provider_details["logprobs"]
    check(len(told) == reply.usage.output_tokens and all(one["logprob"] <= 0 for one in told), told)


@call
def json_object():
    try:
        told = Agent(model, output_type=PromptedOutput(Pictogram), retries=0).run_sync("One red heart.")
        return is_schema(told.output.model_dump())
    except UnexpectedModelBehavior as error:  # the schema stands in the prompt only, too hard for a tiny model
        check("json_invalid" not in repr(error.__cause__), repr(error.__cause__))
        return "JSON, though not of the schema in the prompt"


@call
def json_schema():
    is_schema(Agent(model, output_type=ToolOutput(Pictogram)).run_sync("One red heart.").output.model_dump())
    return is_schema(Agent(model, output_type=NativeOutput(Pictogram)).run_sync("One red heart.").output.model_dump())


@call
async def json_stream():
    async with Agent(model, output_type=NativeOutput(Pictogram)).run_stream("One red heart.") as pieces:
        last = [piece async for piece in pieces.stream_output()][-1]
    return is_schema(last.model_dump())


TOOLS = [
    ToolDefinition(name=tool["name"], description=tool["description"], parameters_json_schema=tool["parameters"])
    for tool in (WEATHER, CLOCK)
]


def ask(tools, choice, messages=None, model=model):
    asked = messages or [ModelRequest.user_text_prompt("The weather in Oslo?")]
    parameters = ModelRequestParameters(function_tools=tools)
    settings = {"tool_choice": choice, **WORDS_ONLY} if choice == "none" else {"tool_choice": choice}
    return model_request_sync(model, asked, model_settings=settings, model_request_parameters=parameters)


@call
def tools_auto():
    chatty = Agent(model)

    @chatty.tool_plain
    def weather(place: str, unit: Literal["celsius", "kelvin"]) -> str:
        """The weather in a place."""
        return "sunny"

    try:
        limits = UsageLimits(request_limit=3)
        told = chatty.run_sync("What is the weather in Oslo?", usage_limits=limits, model_settings=WORDS_ONLY)
        return str(told.output)
    except UsageLimitExceeded:
        return "called again and again"


@call
def tools_required():
    (tool,) = ask(TOOLS[:1], "required").tool_calls
    return is_weather(tool.tool_name, tool.args_as_dict())


@call
def tools_named():
    (tool,) = ask(TOOLS, ["weather"]).tool_calls
    return is_weather(tool.tool_name, tool.args_as_dict())


@call
async def tools_stream():
    async with Agent(model, output_type=ToolOutput(Pictogram)).run_stream("One red heart.") as pieces:
        last = [piece async for piece in pieces.stream_output()][-1]
    return is_schema(last.model_dump())


def round_trip(model):
    asked = ModelRequest.user_text_prompt("The weather in Oslo?")
    made = ask(TOOLS, ["weather"], model=model)
    (tool,) = made.tool_calls
    result = ModelRequest(parts=[ToolReturnPart("weather", "sunny", tool_call_id=tool.tool_call_id)])
    return is_text(ask(TOOLS, "none", [asked, made, result], model=model).text)


@call
def tools_back():
    return round_trip(model)


@call
def images():
    told = ImageGenerator(OpenAIImageGenerationModel(MODEL, provider=provider)).generate_sync(DRAWING)
    return is_drawing(told.image.data)


spoken = OpenAIResponsesModel(MODEL, provider=provider)


@call
def responses():
    first = Agent(spoken, instructions="Be brief.").run_sync(GREETING)
    again = Agent(spoken).run_sync("Who are you?", message_history=first.all_messages())
    return is_text(first.output) and is_text(again.output)


@call
async def responses_stream():
    async with Agent(spoken).run_stream(GREETING) as pieces:
        return is_text("".join([piece async for piece in pieces.stream_text(delta=True)]))


@call
def responses_picture():
    said = Agent(spoken).run_sync([NAMING, HEART_IN], model_settings={"temperature": 0}).output
    check(NAME in said, said)


@call
def responses_drawing():
    drawer = OpenAIResponsesModel(MODEL, provider=provider, profile={"supports_image_output": True})
    told = Agent(drawer, output_type=BinaryImage).run_sync(DRAWING)
    seen = is_drawing(told.output.data)
    in_words = {"extra_body": IN_WORDS}
    Agent(spoken, model_settings=in_words).run_sync(GREETING, message_history=told.all_messages())
    return f"output: {seen}"


@call
def responses_tools():
    return round_trip(spoken)


@call
def responses_json():
    return is_schema(Agent(spoken, output_type=NativeOutput(Pictogram)).run_sync("One red heart.").output.model_dump())


@call
def wrong_key():
    Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=URL, api_key="wrong"))).run_sync(GREETING)


@call
def wrong_model():
    Agent(OpenAIChatModel("other", provider=provider)).run_sync(GREETING)


@call
def too_long():
    agent.run_sync(LONG)


@call
def too_long_kind():
    try:
        agent.run_sync(LONG)
    except ModelContextWindowExceededError:
        return "ModelContextWindowExceededError"


@call
def logit_bias():
    settings = {"temperature": 0, "logit_bias": {str(id_): -100 for id_ in range(300)}}
    biased = agent.run_sync(GREETING, model_settings=settings).output
    check(biased != agent.run_sync(GREETING, model_settings={"temperature": 0}).output, "logit_bias was ignored")


@call
def penalties():
    plain = agent.run_sync(GREETING, model_settings={"temperature": 0}).output
    for name in ("frequency_penalty", "presence_penalty"):
        said = agent.run_sync(GREETING, model_settings={"temperature": 0, name: 2.0}).output
        check(said != plain, f"{name} was ignored")


@call
def embeddings():
    Embedder(OpenAIEmbeddingModel(MODEL, provider=provider)).embed_query_sync("a red heart")


@call
def edit():
    generator = ImageGenerator(OpenAIImageGenerationModel(MODEL, provider=provider))
    generator.generate_sync("Make it blue.", images=[BinaryImage(picture_bytes(), media_type="image/png")])


main()
