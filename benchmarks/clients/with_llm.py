"""llm: models of OpenAI's kind are told in ``extra-openai-models.yaml``; here by its Python library and its command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import llm
from calls import (
    DRAWING,
    GREETING,
    HEARING,
    KEY,
    LONG,
    MODEL,
    NAME,
    NAMING,
    SCHEMA,
    URL,
    ClientCannot,
    call,
    check,
    is_drawing,
    is_said,
    is_schema,
    is_text,
    main,
    picture_bytes,
    recording,
)

HOME = tempfile.mkdtemp()
os.environ["LLM_USER_PATH"] = HOME
ENTRY = "- model_id: {id}\n  model_name: {name}\n  api_base: {url}\n  api_key_name: ours\n{more}"
MORE = "  vision: true\n  audio: true\n  supports_schema: true\n  supports_tools: true\n"
Path(HOME, "extra-openai-models.yaml").write_text(
    ENTRY.format(id="ours", name=MODEL, url=URL, more=MORE)
    + ENTRY.format(id="missing", name="other", url=URL, more=MORE)
    + ENTRY.format(id="raw", name=MODEL, url=URL, more="  completion: true\n")
)
Path(HOME, "keys.json").write_text(json.dumps({"ours": KEY}))
model = llm.get_model("ours")


@call
def chat():
    return is_text(model.prompt(GREETING, stream=False).text())


@call
def models():
    done = subprocess.run([sys.executable, "-m", "llm", "models"], capture_output=True, text=True)
    check("ours" in done.stdout, done.stdout)


@call
def system():
    return is_text(model.prompt(GREETING, system="Be brief.", stream=False).text())


@call
def turns():
    talk = model.conversation()
    talk.prompt(GREETING).text()
    return is_text(talk.prompt("Who are you?").text())


@call
async def async_():
    return is_text(await llm.get_async_model("ours").prompt(GREETING).text())


@call
def stream():
    pieces = list(model.prompt(GREETING, temperature=0))
    check(len(pieces) > 1 and "".join(pieces) == model.prompt(GREETING, temperature=0, stream=False).text(), pieces)


@call
def stream_usage():
    reply = model.prompt(GREETING)
    reply.text()
    check(reply.usage().output > 0, reply.usage())


@call
def picture():
    heart = llm.Attachment(content=picture_bytes(), type="image/png")
    said = model.prompt(NAMING, attachments=[heart], temperature=0).text()
    check(NAME in said, said)
    return said


@call
def hearing():
    heard = llm.Attachment(content=recording(), type="audio/wav")
    return is_said(model.prompt(HEARING, attachments=[heard], temperature=0).text())


@call
def drawing():
    reply = model.prompt(DRAWING, stream=False)
    reply.text()
    (choice,) = reply.response_json["choices"]
    if not choice["message"].get("images"):
        raise ClientCannot("an answer is text and calls of tools")
    return "response_json: " + is_drawing(choice["message"]["images"][0]["image_url"]["url"])


@call
def drawing_back():
    talk = model.conversation()
    talk.prompt(DRAWING).text()
    talk.prompt(GREETING).text()  # which may draw again, and has no words then


@call
def stop():
    whole = model.prompt(GREETING, temperature=0).text()
    word = whole.split()[2]
    check(model.prompt(GREETING, temperature=0, stop=word).text() == whole[: whole.index(word)], whole)


@call
def seed():
    said = [model.prompt("What is a heart?", temperature=2, seed=number).text() for number in (3, 3, 4, 5, 6, 7)]
    check(said[0] == said[1] and len(set(said)) > 1, said)


@call
def max_tokens():
    reply = model.prompt(GREETING, max_tokens=3)
    reply.text()
    check(reply.usage().output == 3, reply.usage())


@call
def json_object():
    said = model.prompt("Tell me of a red heart, as JSON.", json_object=True).text()
    check(isinstance(json.loads(said), dict), said)
    return said


@call
def json_schema():
    return is_schema(model.prompt("One red heart.", schema=SCHEMA, stream=False).text())


@call
def json_stream():
    return is_schema("".join(model.prompt("One red heart.", schema=SCHEMA)))


def weather(place: str, unit: str) -> str:
    """The weather in a place."""
    return "sunny"


@call
def tools_auto():
    chain = model.conversation().chain("What is the weather in Oslo?", tools=[weather], chain_limit=3)
    try:
        return is_text(chain.text())
    except ValueError as error:  # the model calls again and again
        check("limit" in str(error), error)
        return "called"


@call
def completion():
    check(isinstance(llm.get_model("raw").prompt("a red", max_tokens=4).text(), str), "no text")


@call
def wrong_key():
    model.prompt(GREETING, key="wrong").text()


@call
def wrong_model():
    llm.get_model("missing").prompt(GREETING).text()


@call
def too_long():
    model.prompt(LONG).text()


@call
def logit_bias():
    plain = model.prompt(GREETING, temperature=0).text()
    biased = model.prompt(GREETING, temperature=0, logit_bias={str(id_): -100 for id_ in range(300)}).text()
    check(biased != plain, "logit_bias was ignored")


@call
def penalties():
    plain = model.prompt(GREETING, temperature=0).text()
    for name in ("frequency_penalty", "presence_penalty"):
        check(model.prompt(GREETING, temperature=0, **{name: 2}).text() != plain, f"{name} was ignored")


main()
