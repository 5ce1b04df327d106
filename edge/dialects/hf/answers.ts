import * as z from "zod";
import type { InferenceResult } from "../../../shared/inference/contract.ts";
import type { HfAsked } from "./request.ts";

const Score = z.object({ label: z.string(), score: z.number() });

/** The only shapes that `@huggingface/inference` and `huggingface_hub` both read. */
export const HfAnswer = z
  .union([
    z.array(z.number()).meta({ description: "feature-extraction of one text: its vector; sentence-similarity: cosines" }),
    z.array(z.array(z.number())).meta({ description: "feature-extraction of a list: one vector for each text" }),
    z.array(z.array(Score)).meta({ description: "text-classification: for each text its labels, the likeliest first" }),
  ])
  .meta({ id: "HfAnswer" });
type HfAnswer = z.infer<typeof HfAnswer>;

export function answerOf({ body, inputTokens }: InferenceResult, asked: HfAsked): HfAnswer {
  const rows = inputTokens.map((_, row) => row);
  if (body.task === "classify") return rows.map((row) => rankedScores(body, row, asked.topK));
  const vectors = rows.map((row) => body.vectors.subarray(row * body.dimensions, (row + 1) * body.dimensions));
  const [first, ...others] = vectors;
  if (first === undefined) throw new Error("an answer without a vector");
  switch (asked.layout) {
    case "single":
      return Array.from(first);
    case "list":
      return vectors.map((vector) => Array.from(vector));
    case "comparison":
      return others.map((vector) => dotProduct(first, vector)); // of unit vectors: the cosine
  }
}

function rankedScores({ labels, scores }: { labels: readonly string[]; scores: Float32Array }, row: number, topK: number | undefined) {
  const scored = labels.map((label, index) => ({ label, score: scores[row * labels.length + index] ?? Number.NaN }));
  return scored.sort((a, b) => b.score - a.score).slice(0, topK);
}

function dotProduct(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
