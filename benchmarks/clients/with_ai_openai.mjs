// Vercel's AI SDK with its provider for OpenAI; that takes the responses unless told otherwise.
import { createOpenAI } from "@ai-sdk/openai";
import { chatCalls, responsesCalls } from "./ai_calls.mjs";
import { KEY, MODEL, URL_, main } from "./calls.mjs";

const openai = createOpenAI({ baseURL: URL_, apiKey: KEY });
const parts = {
  completion: openai.completion(MODEL),
  image: openai.image(MODEL),
  embedding: openai.embedding(MODEL),
  speech: openai.speech(MODEL),
  transcription: openai.transcription(MODEL),
};
await main({
  ...chatCalls({ chat: openai.chat, parts, wrong: createOpenAI({ baseURL: URL_, apiKey: "wrong" }).chat, key: "openai" }),
  ...responsesCalls(openai(MODEL), openai.tools.imageGeneration()),
});
