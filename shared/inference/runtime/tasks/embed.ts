import { Failure } from "../../../base/failure.ts";
import type { EmbedRequest, TaskResult } from "../../contract.ts";
import type { ModelSettings } from "../model-files.ts";
import type { PlanTask, Rows } from "../plan.ts";
import { normalize } from "./vectors.ts";

/** One vector a text (sentence-transformers, `SentenceTransformer.encode`): pooled with the graph's numbers, then cut and normalised here. */
export const planEmbed: PlanTask<EmbedRequest> = async (request, { coder, facts, settings }, signal) => {
  if (request.dimensions !== undefined && facts.dimensions !== undefined) checkDimensions(request.dimensions, facts.dimensions);
  const inputs = await coder.encode(request.inputs, { overlong: request.overlong }, signal);
  return {
    inputs,
    inputTokens: inputs.map(({ ids }) => ids.length),
    finish: (rows) => finishEmbed(rows, request, settings),
  };
};

/** Turns pooled vectors into an answer: the first `dimensions` elements, then length 1 if the model or the caller says so. */
export function finishEmbed(rows: readonly Rows[], request: EmbedRequest, settings: Pick<ModelSettings, "isNormalized">): TaskResult {
  const width = rows[0]?.width ?? 0;
  const dimensions = request.dimensions ?? width;
  if (request.dimensions !== undefined && rows.length > 0) checkDimensions(dimensions, width);
  const vectors = new Float32Array(rows.length * dimensions);
  rows.forEach(({ values }, row) => {
    vectors.set(values.subarray(0, dimensions), row * dimensions);
    if (request.normalize ?? settings.isNormalized) normalize(vectors.subarray(row * dimensions, (row + 1) * dimensions));
  });
  return { task: "embed", vectors, dimensions };
}

export function checkDimensions(dimensions: number, most: number): void {
  if (!Number.isInteger(dimensions) || dimensions < 1)
    throw new Failure("invalid_request", "dimensions must be a whole number above 0.", { field: "dimensions" });
  if (dimensions > most)
    throw new Failure("invalid_request", `The model's vectors have ${most} elements, fewer than ${dimensions}.`, { field: "dimensions" });
}
