// The calls of Vercel's AI SDK, whichever provider it is given.
import {
  Output, embed, experimental_generateSpeech, experimental_transcribe, generateImage, generateText, stepCountIs,
  streamText, tool,
} from "ai";
import { z } from "zod";
import {
  ClientCannot, DRAWING, GREETING, HEARING, HEART, LONG, MODEL, NAME, NAMING, SAID, WORDS,
  check, heartBytes, isDrawing, isSaid, isSchema, isSound, isText, isWeather,
} from "./calls.mjs";

const Pictogram = z.object({ name: z.string(), colour: z.enum(["red", "green", "blue"]), count: z.int() });
const Place = z.object({ place: z.string(), unit: z.enum(["celsius", "kelvin"]) });
const user = (content) => [{ role: "user", content }];
const withHeart = (text) => user([{ type: "text", text }, { type: "image", image: HEART }]);
const weather = tool({ description: "The weather in a place.", inputSchema: Place });
const clock = tool({ description: "The time.", inputSchema: z.object({}) });
const called = ({ toolCalls }) => {
  check(toolCalls.length === 1, toolCalls);
  return isWeather(toolCalls[0].toolName, toolCalls[0].input);
};

async function spoken(model, voice = "default") {
  const asked = { model, text: SAID, voice, outputFormat: "wav", maxRetries: 0 };
  return (await experimental_generateSpeech(asked)).audio.uint8Array;
}

/** The text of a stream, whose errors the SDK does not throw by itself. */
async function streamed(options) {
  let failed;
  const result = streamText({ ...options, onError: ({ error }) => (failed = error) });
  const pieces = [];
  for await (const piece of result.textStream) pieces.push(piece);
  if (failed) throw failed;
  return { said: pieces.join(""), result };
}

/**
 * @param provider as the user makes it: `provider(name)` is a model of chat completions
 * @param parts its other kinds of models: completion, image, embedding, speech, transcription
 * @param wrong the same with a wrong key
 * @param key the name under which the provider takes options of its own
 */
export function chatCalls({ chat, parts, wrong, key }) {
  const model = chat(MODEL);
  const ask = (prompt, options = {}) =>
    generateText({ model, maxRetries: 0, ...(typeof prompt === "string" ? { prompt } : { messages: prompt }), ...options });
  const own = (options) => ({ providerOptions: { [key]: options } });
  return {
    async chat() {
      const { text, usage, finishReason } = await ask(GREETING);
      check(usage.outputTokens > 0 && finishReason === "stop", usage);
      return isText(text);
    },
    system: async () => isText((await ask(GREETING, { system: "Be brief." })).text),
    async turns() {
      const { response } = await ask(GREETING);
      return isText((await ask([...user(GREETING), ...response.messages, ...user("Who are you?")])).text);
    },
    async parallel() {
      const asked = WORDS.map((word) => `What colour is a ${word}?`);
      const together = await Promise.all(asked.map((one) => ask(one, { temperature: 0 })));
      for (const [index, one] of asked.entries()) {
        check(together[index].text === (await ask(one, { temperature: 0 })).text, together[index].text);
      }
    },
    async stream() {
      const { said } = await streamed({ model, prompt: GREETING, temperature: 0 });
      check(said === (await ask(GREETING, { temperature: 0 })).text, said);
      return said;
    },
    async stream_usage() {
      const { result } = await streamed({ model, prompt: GREETING });
      check((await result.usage).outputTokens > 0, await result.usage);
    },
    async cancel() {
      const stopped = new AbortController();
      for await (const _ of streamText({ model, prompt: GREETING, abortSignal: stopped.signal }).textStream) {
        stopped.abort();
        break;
      }
      return isText((await ask(GREETING)).text);
    },
    async timeout() {
      const error = await ask(DRAWING, { abortSignal: AbortSignal.timeout(5) }).catch((error) => error);
      check(/abort|timeout/i.test(`${error.name} ${error.message}`), String(error));
      return isText((await ask(GREETING)).text);
    },
    async picture() {
      const { text } = await ask(withHeart(NAMING), { temperature: 0 });
      check(text.includes(NAME), text);
      return text;
    },
    async drawing() {
      const { files, response } = await ask(DRAWING);
      if (files.length) return `files: ${isDrawing(files[0].uint8Array)}`;
      const seen = isDrawing(response.body.choices[0].message.images[0].image_url.url);
      return `only response.body.choices[0].message.images: ${seen}; drawings come as files by responses`;
    },
    async drawing_back() {
      const { response } = await ask(DRAWING);
      await ask([...user(DRAWING), ...response.messages, ...user(GREETING)]);
    },
    async stop() {
      const whole = (await ask(GREETING, { temperature: 0 })).text;
      const word = whole.split(" ")[2];
      const cut = (await ask(GREETING, { temperature: 0, stopSequences: [word] })).text;
      check(cut === whole.slice(0, whole.indexOf(word)), cut);
    },
    async seed() {
      const said = [];
      for (const seed of [3, 3, 4, 5, 6, 7]) said.push((await ask("What is a heart?", { temperature: 1.9, seed })).text);
      check(said[0] === said[1] && new Set(said).size > 1, said);
    },
    async greedy() {
      const [one, two] = [await ask(withHeart(NAMING), { temperature: 0 }), await ask(withHeart(NAMING), { temperature: 0 })];
      check(one.text === two.text, [one.text, two.text]);
    },
    async max_tokens() {
      const { usage, finishReason } = await ask(GREETING, { maxOutputTokens: 3 });
      check(usage.outputTokens === 3 && finishReason === "length", [usage, finishReason]);
    },
    async json_object() {
      const { output } = await ask("Tell me of a red heart, as JSON.", { output: Output.json() });
      check(typeof output === "object" && output !== null, output);
      return JSON.stringify(output);
    },
    async json_schema() {
      return isSchema((await ask("One red heart.", { output: Output.object({ schema: Pictogram }) })).output);
    },
    async json_stream() {
      const output = Output.object({ schema: Pictogram });
      const { result } = await streamed({ model, prompt: "One red heart.", output });
      return isSchema(await result.output);
    },
    async tools_auto() {
      const { text, toolCalls } = await ask("What is the weather in Oslo?", { tools: { weather, clock } });
      check(toolCalls.every((one) => !one.invalid), toolCalls);
      return toolCalls.length ? "called" : isText(text);
    },
    tools_required: async () => called(await ask("Oslo?", { tools: { weather }, toolChoice: "required" })),
    async tools_named() {
      return called(await ask("Oslo?", { tools: { weather, clock }, toolChoice: { type: "tool", toolName: "weather" } }));
    },
    async tools_stream() {
      const { result } = await streamed({ model, prompt: "Oslo?", tools: { weather }, toolChoice: "required" });
      return called({ toolCalls: await result.toolCalls });
    },
    async tools_back() {
      const run = { ...weather, execute: async () => "sunny" };
      const prepareStep = ({ stepNumber }) => (stepNumber ? { toolChoice: "none" } : {});
      const options = { tools: { weather: run }, toolChoice: "required", stopWhen: stepCountIs(2), prepareStep };
      const { steps } = await ask("The weather in Oslo?", options);
      check(steps.length === 2 && steps[1].toolCalls.length === 0, steps.length);
      return steps[1].text;
    },
    async completion() {
      const { text, usage } = await generateText({ model: parts.completion, prompt: "a red", maxOutputTokens: 4 });
      check(typeof text === "string" && usage.outputTokens <= 4, usage);
    },
    async images() {
      const { images } = await generateImage({ model: parts.image, prompt: DRAWING, n: 2, size: "128x128" });
      check(images.length === 2, images.length);
      return isDrawing(images[1].uint8Array);
    },
    wrong_key: () => generateText({ model: wrong(MODEL), prompt: GREETING, maxRetries: 0 }),
    wrong_model: () => generateText({ model: chat("other"), prompt: GREETING, maxRetries: 0 }),
    too_long: () => ask(LONG),
    async penalties() {
      const plain = (await ask(GREETING, { temperature: 0 })).text;
      for (const name of ["frequencyPenalty", "presencePenalty"]) {
        if ((await ask(GREETING, { temperature: 0, [name]: 2 })).text === plain) throw new Error(`${name} ignored`);
      }
    },
    async logit_bias() {
      const logitBias = Object.fromEntries(Array.from({ length: 300 }, (_, id) => [id, -100]));
      const asked = { temperature: 0, ...own(key === "openai" ? { logitBias } : { logit_bias: logitBias }) };
      if ((await ask(GREETING, asked)).text === (await ask(GREETING, { temperature: 0 })).text) throw new Error("ignored");
    },
    embeddings: () => embed({ model: parts.embedding, value: "a red heart", maxRetries: 0 }),
    async edit() {
      const prompt = { text: "Make it blue.", images: [heartBytes()] };
      return generateImage({ model: parts.image, prompt, maxRetries: 0 });
    },
    ...(parts.speech && {
      speech: async () => isSound(await spoken(parts.speech)),
      async transcription() {
        const audio = await spoken(parts.speech);
        return isSaid((await experimental_transcribe({ model: parts.transcription, audio, maxRetries: 0 })).text);
      },
      async hearing() {
        const heard = { type: "file", mediaType: "audio/wav", data: await spoken(parts.speech) };
        return isSaid((await ask(user([heard, { type: "text", text: HEARING }]), { temperature: 0 })).text);
      },
      voice: () => spoken(parts.speech, "alloy"),
      mute: () => spoken(parts.speech),
      deaf: () =>
        experimental_transcribe({ model: parts.transcription, audio: Buffer.from("RIFF    WAVE"), maxRetries: 0 }),
    }),
  };
}

/** The calls of a model of OpenAI's responses; `drawer` is its tool that draws. */
export function responsesCalls(model, drawer) {
  const ask = (options) => generateText({ model, maxRetries: 0, ...options });
  return {
    async responses() {
      const { text, response } = await ask({ prompt: GREETING, system: "Be brief." });
      const messages = [...user(GREETING), ...response.messages, ...user("Who are you?")];
      try {
        return isText((await ask({ messages })).text) && isText(text);
      } catch (error) {
        if (!/item_reference/.test(error.message)) throw error;
        isText((await ask({ messages, providerOptions: { openai: { store: false } } })).text);
        throw new ClientCannot("it refers to turns that it thinks are stored; with its option `store: false` it works");
      }
    },
    responses_stream: async () => isText((await streamed({ model, prompt: GREETING })).said),
    async responses_picture() {
      const { text } = await ask({ messages: withHeart(NAMING), temperature: 0 });
      check(text.includes(NAME), text);
    },
    async responses_drawing() {
      const { files, staticToolResults, toolResults } = await ask({ prompt: DRAWING, tools: { image_generation: drawer } });
      if (files.length) return `files: ${isDrawing(files[0].uint8Array)}`;
      const [made] = [...(staticToolResults ?? []), ...toolResults];
      check(made?.output?.result, toolResults);
      return `toolResults[0].output.result: ${isDrawing(made.output.result)}`;
    },
    async responses_tools() {
      return called(await ask({ prompt: "Oslo?", tools: { weather }, toolChoice: "required" }));
    },
    async responses_json() {
      return isSchema((await ask({ prompt: "One red heart.", output: Output.object({ schema: Pictogram }) })).output);
    },
  };
}
