"""Clients that were not written with this server in mind: Hugging Face's, and OpenAI's for Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from huggingface_hub import InferenceClient
from serving import picture, running, tiny_assistant

NODE_PACKAGE = "openai@6"
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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no Node here")
def test_the_client_for_node(server, tmp_path):
    subprocess.run(["npm", "install", "--silent", "--no-fund", NODE_PACKAGE], cwd=tmp_path, check=True, timeout=200)
    script = Path(tmp_path, "client.mjs")
    script.write_text(NODE_SCRIPT)

    command = ["node", str(script), f"{server.url}/v1", json.dumps(picture())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "done", done.stderr
