import type { PathDescription, PathGroup } from "../../openapi.ts";
import { INFER_HEADERS, INFER_REFUSALS, INFERRED_HEADERS } from "../headers.ts";
import { ChatCompletion } from "../openai/chat-answer.ts";
import { Completion } from "../openai/completion-answer.ts";
import { PathChatBody, PathCompletionBody } from "../openai/completions.ts";
import { STREAM } from "../openai/paths.ts";
import { HfAnswer } from "./answer.ts";
import { HfFailure } from "./failure.ts";
import { HfRequest } from "./request.ts";
import { HF_TASKS } from "./rules.ts";

const INFER = {
  method: "post",
  scope: "infer",
  headers: INFER_HEADERS,
  headersOut: INFERRED_HEADERS,
  body: HfRequest,
  answer: { status: 200, summary: "In the shape of the model's task", schema: HfAnswer },
  refusals: [...INFER_REFUSALS, "unsupported"],
} as const satisfies Partial<PathDescription>;

/** What the clients ask below their endpoint's URL: OpenAI's protocol. */
const COMPLETE = {
  ...INFER,
  body: PathCompletionBody,
  answer: { status: 200, summary: "The texts", schema: Completion },
  events: STREAM,
} as const;
const CHAT = {
  ...INFER,
  body: PathChatBody,
  answer: { status: 200, summary: "The messages", schema: ChatCompletion },
  events: STREAM,
} as const;

export const hfPaths: PathGroup = {
  name: "Hugging Face",
  summary: "Inference in the form of Hugging Face's clients: their endpoint URL is `/hf/{model}`. Over-long inputs are cut.",
  failure: HfFailure,
  paths: [
    { ...INFER, path: "/hf/{model}", summary: "Runs a model; its head and the form of the inputs decide the task" },
    { ...INFER, path: "/hf/{model}/pipeline/{task}", summary: `The same, for a named task: ${HF_TASKS.join(", ")}` },
    { ...COMPLETE, path: "/hf/{model}/v1/completions", summary: "Continues a text, in OpenAI's form" },
    { ...CHAT, path: "/hf/{model}/v1/chat/completions", summary: "Answers a conversation, in OpenAI's form" },
  ],
};
