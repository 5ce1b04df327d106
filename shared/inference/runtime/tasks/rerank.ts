import type { RerankRequest } from "../../contract.ts";
import type { PlanTask, TaskModel, TaskPlan } from "../plan.ts";
import { naming } from "./limits.ts";
import { sigmoid } from "./numbers.ts";
import { directionsOf, dot } from "./vectors.ts";

/** How well documents answer a query, in the request's order: by a cross-encoder, else by likeness of embeddings. */
export const planRerank: PlanTask<RerankRequest> = (request, model, signal) =>
  model.facts.head === "embed" ? planByLikeness(request, model, signal) : planByCrossEncoder(request, model, signal);

/** One logit for each pair of query and document, as a sigmoid unless it is wanted raw (sentence-transformers, `CrossEncoder`; text-embeddings-inference, `/rerank`). */
async function planByCrossEncoder(request: RerankRequest, { coder }: TaskModel, signal?: AbortSignal): Promise<TaskPlan> {
  const pairs = request.documents.map((textPair) => ({ kind: "text", text: request.query, textPair }) as const);
  const inputs = await naming(coder.encode(pairs, { overlong: request.overlong }, signal), (index) => `documents.${index}`);
  return {
    inputs,
    inputTokens: inputs.map(({ ids }) => ids.length),
    finish: (rows) => {
      const logits = rows.map(({ values }) => values[0] ?? 0);
      return { task: "rerank", scores: request.isRaw === true ? logits : logits.map(sigmoid) };
    },
  };
}

/** The cosine of query and document, between -1 and 1; `isRaw` changes nothing. The query is read once, and counted with the first document. */
async function planByLikeness(request: RerankRequest, { coder }: TaskModel, signal?: AbortSignal): Promise<TaskPlan> {
  const texts = [request.query, ...request.documents].map((text) => ({ kind: "text", text }) as const);
  const fieldOf = (index: number) => (index === 0 ? "query" : `documents.${index - 1}`);
  const inputs = await naming(coder.encode(texts, { overlong: request.overlong }, signal), fieldOf);
  const [query, ...documents] = inputs.map(({ ids }) => ids.length);
  return {
    inputs,
    inputTokens: documents.map((tokens, index) => tokens + (index === 0 ? (query ?? 0) : 0)),
    finish: (rows) => {
      const [asked, ...vectors] = directionsOf(rows);
      return { task: "rerank", scores: vectors.map((vector) => (asked === undefined ? 0 : dot(asked, vector))) };
    },
  };
}
