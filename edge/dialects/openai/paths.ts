import type { PathDescription, PathGroup } from "../../openapi.ts";
import { INFER_HEADERS } from "../headers.ts";
import { CompletionRequest, EngineAnswer } from "./completions.ts";
import { EmbeddingsAnswer, EmbeddingsRequest } from "./embeddings.ts";
import { OpenaiFailure } from "./failure.ts";
import { ModelList, ModelsQuery, OpenaiModel } from "./models.ts";

const INFER = {
  method: "post",
  scope: "infer",
  headers: INFER_HEADERS,
  refusals: ["not_found", "overloaded", "engine_failed", "timeout"],
} as const satisfies Partial<PathDescription>;

export const openaiPaths: PathGroup = {
  name: "OpenAI",
  summary: "OpenAI's API. Over-long inputs are refused.",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/models",
      summary: "Lists the models that the key's tenant may call",
      scope: "infer",
      query: ModelsQuery,
      answer: { status: 200, summary: "One page of models", schema: ModelList },
    },
    {
      method: "get",
      path: "/v1/models/{id}",
      summary: "Shows one model, by any reference that inference takes",
      scope: "infer",
      answer: { status: 200, summary: "The model", schema: OpenaiModel },
      refusals: ["not_found"],
    },
    {
      ...INFER,
      path: "/v1/embeddings",
      summary: "Turns texts or token ids into vectors",
      body: EmbeddingsRequest,
      answer: { status: 200, summary: "One vector for each input", schema: EmbeddingsAnswer },
    },
    {
      ...INFER,
      path: "/v1/completions",
      summary: "Continues a text, where the model is a foreign engine",
      body: CompletionRequest,
      answer: { status: 200, summary: "The engine's answer", schema: EngineAnswer },
    },
    {
      ...INFER,
      path: "/v1/chat/completions",
      summary: "Answers a conversation, where the model is a foreign engine",
      body: CompletionRequest,
      answer: { status: 200, summary: "The engine's answer", schema: EngineAnswer },
    },
  ],
};
