"""instructor: typed answers by tools, by JSON schemas, and by JSON mode."""

from __future__ import annotations

import asyncio
import json
from typing import Literal

import instructor
from calls import (
    GREETING,
    KEY,
    LONG,
    MODEL,
    URL,
    WORDS,
    call,
    check,
    is_schema,
    main,
    user,
    with_heart,
)
from openai import APITimeoutError
from pydantic import BaseModel

WHERE = {"base_url": URL, "api_key": KEY}


class Pictogram(BaseModel):
    """A pictogram."""

    name: str
    colour: Literal["red", "green", "blue"]
    count: int


def client(mode=instructor.Mode.TOOLS, **options):
    return instructor.from_provider(f"openai/{MODEL}", mode=mode, **{**WHERE, **options})


def make(messages="One red heart.", mode=instructor.Mode.TOOLS, **options):
    messages = user(messages) if isinstance(messages, str) else messages
    made = client(mode).create(response_model=Pictogram, messages=messages, max_retries=0, **options)
    return is_schema(made.model_dump())


@call
def chat():
    reply = client().create(response_model=None, messages=user(GREETING))
    return reply.choices[0].message.content


@call
def system():
    return make([{"role": "system", "content": "Be brief."}, *user("One red heart.")])


@call
async def async_():
    other = instructor.from_provider(f"openai/{MODEL}", async_client=True, **WHERE)
    made = await other.create(response_model=Pictogram, messages=user("One red heart."), max_retries=0)
    return is_schema(made.model_dump())


@call
async def parallel():
    other = instructor.from_provider(f"openai/{MODEL}", async_client=True, **WHERE)
    asked = (other.create(response_model=Pictogram, messages=user(f"A {word}."), max_retries=0) for word in WORDS)
    for made in await asyncio.gather(*asked):
        is_schema(made.model_dump())


@call
def timeout():
    try:
        make(timeout=0.005)
    except Exception as error:
        check("tim" in str(error).lower() or isinstance(error.__cause__, APITimeoutError), repr(error))
        return make()
    raise AssertionError("answered within 5 ms")


@call
def picture():
    return make(with_heart("What is this?"))


@call
def seed():
    said = [make(seed=number, temperature=2) for number in (3, 3, 4, 5, 6)]
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def greedy():
    check(make(temperature=0) == make(temperature=0), "two answers")


@call
def max_tokens():
    from instructor.core import IncompleteOutputException

    try:
        make(max_tokens=2)
    except Exception as error:
        known = isinstance(error, IncompleteOutputException) or "incomplete" in str(error).lower()
        check(known, repr(error))
        return "IncompleteOutputException"
    raise AssertionError("an answer of two tokens was taken for whole")


@call
def json_object():
    from instructor.core import InstructorRetryException

    try:
        return make(mode=instructor.Mode.JSON)
    except InstructorRetryException as error:  # the schema stands in the prompt only, too hard for a tiny model
        if error.last_completion is None:
            raise
        said = error.last_completion.choices[0].message.content
    check(isinstance(json.loads(said), dict), said)
    return f"an object, though not of the schema in the prompt: {said}"


@call
def json_schema():
    return make(mode=instructor.Mode.JSON_SCHEMA)


@call
def json_stream():
    pieces = list(client().create_partial(response_model=Pictogram, messages=user("One red heart."), max_retries=0))
    return is_schema(pieces[-1].model_dump())


@call
def tools_named():
    return make()


@call
def responses_json():
    return make(mode=instructor.Mode.RESPONSES_TOOLS)


@call
def wrong_key():
    client(api_key="wrong").create(response_model=Pictogram, messages=user(GREETING), max_retries=0)


@call
def wrong_model():
    other = instructor.from_provider("openai/other", **WHERE)
    other.create(response_model=Pictogram, messages=user(GREETING), max_retries=0)


@call
def too_long():
    make(LONG)


@call
def logit_bias():
    check(make(temperature=0) != make(temperature=0, logit_bias={str(id_): -100 for id_ in range(3, 300)}), "ignored")


@call
def penalties():
    for name in ("frequency_penalty", "presence_penalty"):
        check(make(temperature=0) != make(temperature=0, **{name: 2}), f"{name} was ignored")


main()
