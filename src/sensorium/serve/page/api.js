// The HTTP API of the server that serves this page. Addresses are relative: nothing else is ever asked.

import { noteDamage } from "./kept.js";
import { addressOf, modalityOf } from "./media.js";

const KEY = "sensorium.key";

/** An answer that is no answer. `status` is 0 when the server could not be reached. */
export class ApiError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

let key = storedKey();

function storedKey() {
  try {
    const kept = sessionStorage.getItem(KEY);
    if (kept === null || /^[\x20-\x7e]+$/.test(kept)) return kept;
    sessionStorage.removeItem(KEY); // nothing that can be sent: it is asked for again
    noteDamage();
    return null;
  } catch {
    return null; // the browser keeps nothing: the key lasts as long as the page
  }
}

export function keepKey(given) {
  key = given;
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // not kept
  }
}

/** An answer of the server to an object (as JSON) or a form; without either it is only asked. Throws an ApiError. */
export async function request(path, { body, signal } = {}) {
  const headers = {};
  if (key) headers.authorization = `Bearer ${key}`;
  const isForm = body instanceof FormData; // the browser says of it what it is
  if (body && !isForm) headers["content-type"] = "application/json";
  const sent = isForm ? body : body && JSON.stringify(body);
  const options = { method: body ? "POST" : "GET", headers, signal, body: sent };
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", 0);
  }
  if (!response.ok) throw new ApiError(await sentence(response), response.status);
  return response;
}

async function sentence(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

const json = async (path, options) => (await request(path, options)).json();

/** The models that the server offers: [{id, reads, writes, thinks, languages}]. */
export const models = async () => (await json("v1/models")).data;

/** The modalities that are installed: [{id, media_types, extensions, viewer, words}]. */
export const modalities = async () => (await json("v1/modalities")).data;

/** Ids, tokens and spans of messages. */
export const tokenize = (model, messages, signal) => json("v1/tokenize", { body: { model, messages }, signal });

/** Another one at every call: a request that is made again gets another answer. */
const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** Media of a kind made from words; `attempt` is 0, or how often the same was asked for before. */
export async function make(model, kind, request, { count = 1, attempt = 0, signal } = {}) {
  const messages = [{ role: "user", content: request }];
  const body = { model, messages, modalities: [kind], n: count, attempt, seed: newSeed() };
  const { choices } = await json("v1/chat/completions", { body, signal });
  const isWanted = (part) => modalityOf(part) === kind && addressOf(part);
  return choices.flatMap(({ message }) => message.parts.find(isWanted) ?? []);
}

/** A streamed answer: yields {thought} , {text} , {progress} , {part} , {usage} and {finish} as they come. */
export async function* chat(body, signal) {
  const options = { seed: newSeed(), stream: true, stream_options: { include_usage: true } };
  const response = await request("v1/chat/completions", { body: { ...body, ...options }, signal });
  for await (const data of events(response.body)) {
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(chunk.error.message, chunk.error.status ?? 500);
    const [choice] = chunk.choices ?? [];
    if (choice?.delta?.progress) yield { progress: choice.delta.progress };
    if (choice?.delta?.reasoning_content) yield { thought: choice.delta.reasoning_content };
    if (choice?.delta?.content) yield { text: choice.delta.content };
    for (const part of choice?.delta?.parts ?? []) yield { part };
    if (choice?.finish_reason) yield { finish: choice.finish_reason };
    if (chunk.usage) yield { usage: chunk.usage };
  }
}

/** The data of server-sent events, up to [DONE]. https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(body) {
  let rest = "";
  for await (const text of pieces(body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (rest + text.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data:"));
      const data = lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
      if (data === "[DONE]") return;
      if (data) yield data;
    }
  }
}

/** What the body of an answer brings, as it comes. */
export async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", 0);
  } finally {
    reader.cancel().catch(() => {});
  }
}
