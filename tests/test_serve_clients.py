"""Clients that were not written with this server in mind: Hugging Face's, and OpenAI's for Node."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from huggingface_hub import InferenceClient
from serving import picture, png, running, tiny_assistant

NODE_PACKAGE = "openai@6"
AI_SDK = ("ai@6", "@ai-sdk/openai@3", "@ai-sdk/openai-compatible@2")
AI_SCRIPT = """
import { APICallError, generateText, generateImage, streamText } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import assert from "node:assert/strict";

const [baseURL, png] = [process.argv[2], Buffer.from(process.argv[3], "base64")];
const fetchFor = (kind) => (url, options) =>
  fetch(url, { ...options, body: JSON.stringify({ ...JSON.parse(options.body), modalities: [kind] }) });
const [words, draws] = ["text", "image"].map((kind) => createOpenAI({ baseURL, apiKey: "any", fetch: fetchFor(kind) }));
const compatible = createOpenAICompatible({ name: "own", baseURL, apiKey: "any", fetch: fetchFor("text") });
const brief = { maxRetries: 0, maxOutputTokens: 5 };
const messages = [{ role: "user", content: [{ type: "text", text: "What?" }, { type: "image", image: png }] }];

const { text, response, usage } = await generateText({ model: words("tiny"), messages, ...brief });
assert.ok(usage.inputTokens > 20);
let streamed = "";
for await (const piece of streamText({ model: words("tiny"), messages, ...brief }).textStream) streamed += piece;
assert.equal(streamed, text);
assert.equal((await generateText({ model: compatible("tiny"), messages, ...brief })).text, text);

const more = [...messages, ...response.messages, { role: "user", content: "so?" }];
const again = { model: words("tiny"), messages: more, ...brief };
await generateText({ ...again, providerOptions: { openai: { store: false } } });
await assert.rejects(generateText(again), (error) => APICallError.isInstance(error) && /store: false/.test(error));

const drawn = await generateText({ model: draws("tiny"), prompt: "draw", maxRetries: 0 });
const [call] = drawn.toolResults;
assert.equal(Buffer.from(call.output.result, "base64").subarray(1, 4).toString(), "PNG");
const plain = createOpenAI({ baseURL, apiKey: "any" });
const { image } = await generateImage({ model: plain.image("tiny"), prompt: "a heart", maxRetries: 0 });
assert.equal(image.mediaType, "image/png");
console.log("done");
"""
NODE_SCRIPT = """
import OpenAI, { BadRequestError, NotFoundError } from "openai";
import assert from "node:assert/strict";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const picture = JSON.parse(process.argv[3]);
const model = "tiny";
const asked = [{ role: "user", content: [picture, { type: "text", text: "What?" }] }];

assert.deepEqual((await client.models.list()).data.map((card) => card.id), [model]);
assert.deepEqual((await client.models.retrieve(model)).writes, ["text", "image"]);

const options = { model, messages: asked, max_tokens: 12, modalities: ["text"] };
const whole = await client.chat.completions.create({ ...options, logprobs: true, top_logprobs: 1 });
const { message, logprobs } = whole.choices[0];
assert.equal(logprobs.content.length, whole.usage.completion_tokens);
let text = "";
for await (const chunk of await client.chat.completions.create({ ...options, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(text, message.content);

const drawn = await client.chat.completions.create({ model, messages: asked, modalities: ["image"], seed: 1 });
assert.match(drawn.choices[0].message.parts[0].image_url.url, /^data:image\\/png;base64,/);
const images = await client.images.generate({ model, prompt: "a heart", n: 2 });
assert.equal(Buffer.from(images.data[1].b64_json, "base64").subarray(1, 4).toString(), "PNG");
const raw = await client.completions.create({ model, prompt: "hello", max_tokens: 3 });
assert.equal(raw.usage.completion_tokens, 3);

const ids = (await client.post("/tokenize", { body: { model, messages: asked } })).ids;
assert.equal((await client.post("/detokenize", { body: { model, ids } })).parts[1].codec, "image");

await assert.rejects(client.chat.completions.create({ ...options, modalities: ["audio"] }), BadRequestError);
await assert.rejects(client.chat.completions.create({ ...options, model: "none" }), NotFoundError);
console.log("done");
"""


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant()}) as server:
        yield server


def test_the_client_of_hugging_face(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # this server is no hub
    client = InferenceClient(base_url=f"{server.url}/v1", api_key="any")
    asked = [{"role": "user", "content": [picture(), {"type": "text", "text": "What?"}]}]
    whole = client.chat_completion(asked, model="tiny", max_tokens=8)
    pieces = client.chat_completion(asked, model="tiny", max_tokens=8, stream=True)
    assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == whole.choices[0].message.content


def in_node(folder: Path, packages: tuple[str, ...], script: str, *arguments: str) -> None:
    """Run a script that needs packages, and says "done" at its end."""
    subprocess.run(["npm", "install", "--silent", "--no-fund", *packages], cwd=folder, check=True, timeout=200)
    Path(folder, "client.mjs").write_text(script)
    command = ["node", "client.mjs", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "done", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no Node here")
def test_the_client_for_node(server, tmp_path):
    in_node(tmp_path, (NODE_PACKAGE,), NODE_SCRIPT, f"{server.url}/v1", json.dumps(picture()))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no Node here")
def test_the_ai_sdk_over_responses(server, tmp_path):
    """Its default provider asks `/v1/responses`; a drawing is the result of OpenAI's own tool."""
    in_node(tmp_path, AI_SDK, AI_SCRIPT, f"{server.url}/v1", base64.b64encode(png()).decode())
