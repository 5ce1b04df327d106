import type { PathDescription, PathGroup } from "../../openapi.ts";
import { INFER_HEADERS, INFER_REFUSALS, INFERRED_HEADERS } from "../headers.ts";
import { ChatCompletion } from "./chat-answer.ts";
import { Completion } from "./completion-answer.ts";
import { ChatBody, CompletionBody } from "./completions.ts";
import { EmbeddingsAnswer, EmbeddingsRequest } from "./embeddings.ts";
import { OpenaiFailure } from "./failure.ts";
import { CHARACTERS_PER_TOKEN } from "./input-estimate.ts";
import { ModelList, ModelsQuery, OpenaiModel } from "./models.ts";
import { RerankAnswer, RerankBody } from "./rerank.ts";

const INFER = {
  method: "post",
  scope: "infer",
  headers: INFER_HEADERS,
  headersOut: INFERRED_HEADERS,
  refusals: INFER_REFUSALS,
} as const satisfies Partial<PathDescription>;

/** With `stream`. */
export const STREAM =
  'Chunks as `data: {…}`, at last `data: [DONE]`. A stream that fails ends with `data: {"error":{…}}` instead; a comment comes every 15 s of silence. ' +
  "What was delivered is billed, whoever cuts the stream; should the gateway die in it, at most 64 tokens a choice more. " +
  `Of a foreign engine's stream that ends before its usage is told, each event with text is a token, and the input is estimated: a token for every ${CHARACTERS_PER_TOKEN} characters of each text.`;

export const openaiPaths: PathGroup = {
  name: "OpenAI",
  summary:
    "OpenAI's API. Over-long inputs are refused. Parameters that are not described here are passed on to foreign engines, and ignored by our own models.",
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
      summary: "Continues a text, with our own models or a foreign engine",
      body: CompletionBody,
      answer: { status: 200, summary: "The texts", schema: Completion },
      events: STREAM,
    },
    {
      ...INFER,
      path: "/v1/chat/completions",
      summary: "Answers a conversation, with our own models or a foreign engine",
      body: ChatBody,
      answer: { status: 200, summary: "The messages", schema: ChatCompletion },
      events: STREAM,
    },
    {
      ...INFER,
      path: "/v1/rerank",
      summary: "Says how well documents answer a query. Over-long documents are cut",
      body: RerankBody,
      answer: { status: 200, summary: "The documents' scores, the best first", schema: RerankAnswer },
    },
  ],
};
