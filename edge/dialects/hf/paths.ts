import type { PathDescription, PathGroup } from "../../openapi.ts";
import { INFER_HEADERS } from "../headers.ts";
import { EngineAnswer, PathCompletionRequest } from "../openai/completions.ts";
import { HfAnswer } from "./answers.ts";
import { HfFailure } from "./failure.ts";
import { HfRequest } from "./request.ts";

const INFER = {
  method: "post",
  scope: "infer",
  headers: INFER_HEADERS,
  body: HfRequest,
  answer: { status: 200, summary: "In the shape of the model's task", schema: HfAnswer },
  refusals: ["not_found", "overloaded", "engine_failed", "timeout", "unsupported"],
} as const satisfies Partial<PathDescription>;

/** What the clients ask below their endpoint's URL: OpenAI's protocol. */
const GENERATE = {
  ...INFER,
  body: PathCompletionRequest,
  answer: { status: 200, summary: "The engine's answer", schema: EngineAnswer },
} as const satisfies Partial<PathDescription>;

export const hfPaths: PathGroup = {
  name: "Hugging Face",
  summary: "Inference in the form of Hugging Face's clients: their endpoint URL is `/hf/{model}`. Over-long inputs are cut.",
  failure: HfFailure,
  paths: [
    { ...INFER, path: "/hf/{model}", summary: "Runs a model; its head decides whether that is feature extraction or text classification" },
    {
      ...INFER,
      path: "/hf/{model}/pipeline/{task}",
      summary: "The same, for a named task: feature-extraction, sentence-similarity or text-classification",
    },
    { ...GENERATE, path: "/hf/{model}/v1/completions", summary: "Continues a text, where the model is a foreign engine" },
    { ...GENERATE, path: "/hf/{model}/v1/chat/completions", summary: "Answers a conversation, where the model is a foreign engine" },
  ],
};
