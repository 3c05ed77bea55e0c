// OpenAI's client for Node.
import OpenAI, { toFile } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  CLOCK, DRAWING, GREETING, HEARING, HEART, KEY, LONG, MODEL, NAME, NAMING, SAID, SCHEMA, URL_, WEATHER, WORDS,
  check, heartBytes, isDrawing, isSaid, isSchema, isSound, isText, isWeather, main,
} from "./calls.mjs";

const client = new OpenAI({ baseURL: URL_, apiKey: KEY });
const model = MODEL;
const TOOLS = [WEATHER, CLOCK].map((tool) => ({ type: "function", function: tool }));
const NAMED = { type: "function", function: { name: "weather" } };
const FORMAT = { type: "json_schema", json_schema: { name: "pictogram", schema: SCHEMA, strict: true } };

const user = (content) => [{ role: "user", content }];
const withHeart = (text) => user([{ type: "text", text }, { type: "image_url", image_url: { url: HEART } }]);
const ask = (messages, options = {}) => client.chat.completions.create({ model, messages, ...options });
const say = async (messages, options) => (await ask(messages, options)).choices[0].message;
const all = async (pieces) => {
  const found = [];
  for await (const piece of pieces) found.push(piece);
  return found;
};
const WAV = { voice: "default", format: "wav" };
const spoken = async () => {
  const made = await client.audio.speech.create({ model, voice: "default", input: SAID, response_format: "wav" });
  return Buffer.from(await made.arrayBuffer());
};
const recording = async () => toFile(await spoken(), "said.wav");
const textOf = (pieces) => pieces.map((piece) => piece.choices[0]?.delta?.content ?? "").join("");

await main({
  async models() {
    check((await client.models.list()).data[0].id === MODEL && (await client.models.retrieve(MODEL)).id === MODEL);
  },
  async chat() {
    const reply = await ask(user(GREETING));
    check(reply.usage.completion_tokens > 0 && reply.choices[0].finish_reason === "stop", reply);
    return isText(reply.choices[0].message.content);
  },
  async system() {
    return isText((await say([{ role: "system", content: "Be brief." }, ...user(GREETING)])).content);
  },
  async turns() {
    const first = await say(user(GREETING));
    return isText((await say([...user(GREETING), first, ...user("Who are you?")])).content);
  },
  async parallel() {
    const options = { modalities: ["text"], temperature: 0 };
    const asked = WORDS.map((word) => user(`What colour is a ${word}?`));
    const together = await Promise.all(asked.map((one) => say(one, options)));
    for (const [index, one] of asked.entries()) {
      check(together[index].content === (await say(one, options)).content, together[index]);
    }
  },
  async stream() {
    const said = textOf(await all(await ask(user(GREETING), { stream: true, temperature: 0 })));
    check(said === (await say(user(GREETING), { temperature: 0 })).content, said);
    return said;
  },
  async stream_usage() {
    const pieces = await all(await ask(user(GREETING), { stream: true, stream_options: { include_usage: true } }));
    check(pieces.at(-1).usage.completion_tokens > 0 && pieces.at(-1).choices.length === 0, pieces.at(-1));
  },
  async cancel() {
    for await (const _ of await ask(user(DRAWING), { stream: true })) break;
    return isText((await say(user(GREETING))).content);
  },
  async timeout() {
    const asked = { model, messages: user(DRAWING) };
    const error = await client.chat.completions.create(asked, { timeout: 5, maxRetries: 0 }).catch((error) => error);
    check(error instanceof OpenAI.APIConnectionTimeoutError, String(error));
    return isText((await say(user(GREETING))).content);
  },
  async picture() {
    const said = (await say(withHeart(NAMING), { modalities: ["text"], temperature: 0 })).content;
    check(said.includes(NAME), said);
    return said;
  },
  async drawing() {
    return `message.images: ${isDrawing((await say(user(DRAWING))).images[0].image_url.url)}`;
  },
  async drawing_stream() {
    const pieces = await all(await ask(user(DRAWING), { stream: true }));
    const images = pieces.flatMap((piece) => piece.choices[0]?.delta?.images ?? []);
    check(images.length === 1, pieces.at(-2));
    return `delta.images: ${isDrawing(images[0].image_url.url)}`;
  },
  async drawing_back() {
    const message = await say(user(DRAWING));
    let said;
    for (const back of [message, { role: message.role, content: message.content }]) {
      said = await say([...user(DRAWING), back, ...user(GREETING)], { modalities: ["text"] });
    }
    return isText(said.content);
  },
  async n() {
    const { choices } = await ask(user("What is a heart?"), { n: 2, temperature: 1 });
    check(choices.map((one) => one.index).join() === "0,1", choices);
  },
  async stop() {
    const whole = (await say(user(GREETING), { temperature: 0 })).content;
    const word = whole.split(" ")[2];
    const cut = (await say(user(GREETING), { temperature: 0, stop: word })).content;
    check(cut === whole.slice(0, whole.indexOf(word)), cut);
  },
  async seed() {
    const said = [];
    for (const seed of [3, 3, 4, 5, 6]) {
      said.push((await say(withHeart("Name it."), { temperature: 1.5, modalities: ["text"], seed })).content);
    }
    check(said[0] === said[1] && new Set(said).size > 1, said);
  },
  async greedy() {
    const first = await say(withHeart(NAMING), { temperature: 0, modalities: ["text"] });
    check(first.content === (await say(withHeart(NAMING), { temperature: 0, modalities: ["text"] })).content, first);
  },
  async max_tokens() {
    for (const name of ["max_tokens", "max_completion_tokens"]) {
      const reply = await ask(user(GREETING), { [name]: 3 });
      check(reply.usage.completion_tokens === 3 && reply.choices[0].finish_reason === "length", reply);
    }
  },
  async logprobs() {
    const reply = await ask(user(GREETING), { logprobs: true, top_logprobs: 3 });
    const told = reply.choices[0].logprobs.content;
    check(told.length === reply.usage.completion_tokens && told.every((one) => one.logprob <= 0), told);
  },
  async json_object() {
    const options = { response_format: { type: "json_object" } };
    const found = JSON.parse((await say(user("Tell me of a red heart, as JSON."), options)).content);
    check(typeof found === "object" && found !== null && !Array.isArray(found), found);
    return JSON.stringify(found);
  },
  async json_schema() {
    isSchema((await say(user("One red heart."), { response_format: FORMAT })).content);
    const Pictogram = z.object({ name: z.string(), colour: z.enum(["red", "green", "blue"]), count: z.int() });
    const asked = { model, messages: user("One red heart."), response_format: zodResponseFormat(Pictogram, "pictogram") };
    return isSchema((await client.chat.completions.parse(asked)).choices[0].message.parsed);
  },
  async json_stream() {
    return isSchema(textOf(await all(await ask(user("One red heart."), { response_format: FORMAT, stream: true }))));
  },
  async tools_auto() {
    const message = await say(user("What is the weather in Oslo?"), { tools: TOOLS });
    check((message.tool_calls ?? []).every((tool) => ["weather", "clock"].includes(tool.function.name)), message);
    return message.tool_calls?.length ? "called" : isText(message.content);
  },
  async tools_required() {
    const message = await say(user("The weather in Oslo?"), { tools: TOOLS.slice(0, 1), tool_choice: "required" });
    return isWeather(message.tool_calls[0].function.name, message.tool_calls[0].function.arguments);
  },
  async tools_named() {
    const message = await say(user("The weather in Oslo?"), { tools: TOOLS, tool_choice: NAMED });
    return isWeather(message.tool_calls[0].function.name, message.tool_calls[0].function.arguments);
  },
  async tools_stream() {
    const asked = { model, messages: user("The weather?"), tools: TOOLS, tool_choice: NAMED };
    const reply = await client.chat.completions.stream(asked).finalChatCompletion();
    const [tool] = reply.choices[0].message.tool_calls;
    return isWeather(tool.function.name, tool.function.arguments);
  },
  async tools_back() {
    const message = await say(user("The weather in Oslo?"), { tools: TOOLS, tool_choice: NAMED });
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "sunny" };
    const asked = [...user("The weather in Oslo?"), message, result];
    return isText((await say(asked, { tools: TOOLS, tool_choice: "none" })).content);
  },
  async completion() {
    const reply = await client.completions.create({ model, prompt: "a red", max_tokens: 4 });
    check(reply.usage.completion_tokens <= 4 && typeof reply.choices[0].text === "string", reply);
  },
  async completion_echo() {
    const asked = { model, prompt: "a red heart", max_tokens: 0, echo: true, logprobs: 1 };
    const [{ text, logprobs }] = (await client.completions.create(asked)).choices;
    check(text === "a red heart" && logprobs.tokens.join("") === text, text);
    check(logprobs.token_logprobs[0] === null && logprobs.token_logprobs.slice(1).every((one) => one < 0), logprobs);
  },
  async images() {
    const told = await client.images.generate({ model, prompt: DRAWING, n: 2, size: "128x128" });
    check(told.data.length === 2, told);
    return isDrawing(told.data[1].b64_json);
  },
  async images_stream() {
    const events = await all(await client.images.generate({ model, prompt: DRAWING, stream: true, partial_images: 1 }));
    check(events.at(-1)?.type === "image_generation.completed", events.length);
    return isDrawing(events.at(-1).b64_json);
  },
  async responses() {
    const reply = await client.responses.create({ model, input: GREETING, instructions: "Be brief." });
    check(reply.status === "completed", reply);
    const input = [...user(GREETING), ...reply.output, ...user("Who are you?")];
    return isText((await client.responses.create({ model, input })).output_text) && isText(reply.output_text);
  },
  async responses_stream() {
    const events = await all(await client.responses.create({ model, input: GREETING, stream: true }));
    const said = events.map((one) => (one.type === "response.output_text.delta" ? one.delta : "")).join("");
    check(events.at(-1)?.type === "response.completed", events.at(-1));
    return isText(said);
  },
  async responses_picture() {
    const content = [{ type: "input_text", text: NAMING }, { type: "input_image", image_url: HEART, detail: "auto" }];
    const said = (await client.responses.create({ model, input: user(content), temperature: 0 })).output_text;
    check(said.includes(NAME), said);
  },
  async responses_drawing() {
    const reply = await client.responses.create({ model, input: DRAWING, tools: [{ type: "image_generation" }] });
    return `image_generation_call: ${isDrawing(reply.output.find((one) => one.type === "image_generation_call").result)}`;
  },
  async responses_tools() {
    const tools = [{ type: "function", strict: true, ...WEATHER }];
    const asked = user("The weather in Oslo?");
    const reply = await client.responses.create({ model, input: asked, tools, tool_choice: "required" });
    const made = reply.output.find((one) => one.type === "function_call");
    const result = { type: "function_call_output", call_id: made.call_id, output: "sunny" };
    const input = [...asked, ...reply.output, result];
    const inWords = { tools, tool_choice: "none", modalities: ["text"] }; // nano likes to draw
    isText((await client.responses.create({ model, input, ...inWords })).output_text);
    return isWeather(made.name, made.arguments);
  },
  async responses_json() {
    const format = { type: "json_schema", name: "pictogram", schema: SCHEMA, strict: true };
    const reply = await client.responses.parse({ model, input: "One red heart.", text: { format } });
    return isSchema(reply.output_parsed);
  },
  wrong_key: () => new OpenAI({ baseURL: URL_, apiKey: "wrong" }).models.list(),
  wrong_model: () => client.chat.completions.create({ model: "gpt-5", messages: user(GREETING) }),
  too_long: () => say(user(LONG)),
  async logit_bias() {
    const logit_bias = Object.fromEntries(Array.from({ length: 300 }, (_, id) => [id, -100]));
    const plain = (await say(user(GREETING), { temperature: 0 })).content;
    if ((await say(user(GREETING), { temperature: 0, logit_bias })).content === plain) throw new Error("ignored");
  },
  async penalties() {
    const plain = (await say(user(GREETING), { temperature: 0 })).content;
    for (const name of ["frequency_penalty", "presence_penalty"]) {
      if ((await say(user(GREETING), { temperature: 0, [name]: 2 })).content === plain) throw new Error(`${name} ignored`);
    }
  },
  suffix: () => client.completions.create({ model, prompt: "a red", suffix: "heart", max_tokens: 4 }),
  embeddings: () => client.embeddings.create({ model, input: "a red heart" }),
  speech: async () => isSound(await spoken()),
  async transcription() {
    return isSaid((await client.audio.transcriptions.create({ model, file: await recording() })).text);
  },
  async transcription_times() {
    const file = await recording();
    const told = await client.audio.transcriptions.create({ model, file, response_format: "verbose_json" });
    check(told.segments.every((one) => 0 <= one.start && one.start < one.end), told);
    return isSaid(told.segments.map((one) => one.text).join(" "));
  },
  async transcription_stream() {
    const asked = { model, file: await recording(), stream: true };
    const events = await all(await client.audio.transcriptions.create(asked));
    const said = events.filter((one) => one.type === "transcript.text.delta").map((one) => one.delta).join("");
    check(events.at(-1).type === "transcript.text.done" && events.at(-1).text === said, events.at(-1));
    return isSaid(said);
  },
  async translation() {
    return isSaid((await client.audio.translations.create({ model, file: await recording() })).text);
  },
  async hearing() {
    const heard = { data: (await spoken()).toString("base64"), format: "wav" };
    const asked = [{ type: "input_audio", input_audio: heard }, { type: "text", text: HEARING }];
    return isSaid((await say(user(asked), { temperature: 0 })).content);
  },
  async saying() {
    const { audio } = await say(user(`Say: ${SAID}`), { modalities: ["audio"], audio: WAV });
    return `message.audio: ${isSound(Buffer.from(audio.data, "base64"))}`;
  },
  async words_or_sound() {
    const options = { modalities: ["text", "audio"], audio: WAV };
    const { audio, content } = await say(user("What is the capital of France?"), options);
    if (audio) return `spoken: ${isSound(Buffer.from(audio.data, "base64"))}`;
    return `in words alone: ${isText(content)}`;
  },
  voice: () => client.audio.speech.create({ model, voice: "alloy", input: SAID }),
  mute: () => client.audio.speech.create({ model, voice: "default", input: SAID }),
  async deaf() {
    return client.audio.transcriptions.create({ model, file: await toFile(Buffer.from("RIFF"), "hello.wav") });
  },
  async edit() {
    const image = await toFile(heartBytes(), "heart.png", { type: "image/png" });
    return client.images.edit({ model, image, prompt: "Make it blue." });
  },
  moderations: () => client.moderations.create({ model, input: "a red heart" }),
});
