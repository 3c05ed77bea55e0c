// Vercel's AI SDK with its provider for servers that speak OpenAI's API.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { chatCalls } from "./ai_calls.mjs";
import { KEY, MODEL, URL_, main } from "./calls.mjs";

const ours = { name: "sensorium", baseURL: URL_, includeUsage: true, supportsStructuredOutputs: true };
const provider = createOpenAICompatible({ ...ours, apiKey: KEY });
const parts = {
  completion: provider.completionModel(MODEL),
  image: provider.imageModel(MODEL),
  embedding: provider.embeddingModel?.(MODEL) ?? provider.textEmbeddingModel(MODEL),
};
await main(
  chatCalls({
    chat: (name) => provider.chatModel(name),
    parts,
    wrong: (name) => createOpenAICompatible({ ...ours, apiKey: "wrong" }).chatModel(name),
    key: "sensorium",
  }),
);
