import { Failure } from "../../base/failure.ts";
import type { Dtype, Task } from "../../models/version.ts";
import type { Pooling } from "./model-files.ts";
import type { Feed, Output, OutputShape, Session } from "./session.ts";
import { poolTokens } from "./tasks/embed.ts";
import type { EncodedInput } from "./tokenize.ts";

/** Numbers of some inputs, row by row: pooled vectors before normalisation, or logits. */
export type Rows = { readonly values: Float32Array; readonly width: number };

/** Which output answers a task, and what it holds: one vector a text, one a token, or one logit a label. */
export type Head = { readonly task: Task; readonly output: string; readonly holds: "vectors" | "tokens" | "logits" };

export type ForwardSettings = {
  readonly padId: number;
  readonly poolings: readonly Pooling[];
  /** Whether inputs may share a run; see `isBatchable`. */
  readonly isBatched: boolean;
};

const FED = ["input_ids", "attention_mask", "token_type_ids"];
const INT32_PER_INT64 = 2;
/** A decoder has dozens of inputs for its cache; a few of them say enough. */
const NAMED_INPUTS_MAX = 3;

/** Finds what a graph computes, by the output names and ranks of optimum's exporters. Fails with `invalid_request` for what Weir cannot serve. */
export function headOf(outputs: readonly OutputShape[]): Head {
  const named = (name: string, rank: number) => outputs.some((output) => output.name === name && output.dims.length === rank);
  if (named("sentence_embedding", 2)) return { task: "embed", output: "sentence_embedding", holds: "vectors" };
  for (const output of ["last_hidden_state", "token_embeddings"]) {
    if (named(output, 3)) return { task: "embed", output, holds: "tokens" };
  }
  // Replaced-token detection has logits of two dimensions too, but the second is the text's length.
  const logits = outputs.find(({ name, dims }) => name === "logits" && dims.length === 2 && dims[1] !== undefined);
  if (logits !== undefined) return { task: "classify", output: "logits", holds: "logits" };
  const seen = outputs.map(({ name, dims }) => `${name}[${dims.map((dim) => dim ?? "?").join(",")}]`).join(", ");
  throw new Failure("invalid_request", `The graph answers with ${seen}; Weir serves embeddings and text classification.`);
}

/**
 * Whether an input's numbers stay the same whatever else is in its batch. The 8-bit graphs of the Hugging Face layout quantise activations
 * as they run, by the range of the whole batch: with MiniLM an empty text falls from cosine 0.984 to 0.962 in bad company, and one tenant's
 * texts would move another's vectors. Their inputs run one by one, which costs a quarter of the speed at 32 tokens and a tenth at 128.
 */
export function isBatchable(dtype: Dtype): boolean {
  return dtype !== "q8" && dtype !== "int8" && dtype !== "uint8";
}

/** Fails with `invalid_request` if the graph wants an input that no tokenizer gives. */
export function checkInputs(inputNames: readonly string[]): void {
  const unknown = inputNames.filter((name) => !FED.includes(name));
  if (unknown.length > 0)
    throw new Failure("invalid_request", `The graph wants ${unknown.slice(0, NAMED_INPUTS_MAX).join(", ")}, which Weir does not feed.`);
  if (!inputNames.includes("input_ids")) throw new Failure("invalid_request", "The graph has no input named input_ids.");
}

/** Computes one row per input, in order: as one batch, padded on the right to the longest, or one by one. */
export async function forward(session: Session, inputs: readonly EncodedInput[], settings: ForwardSettings): Promise<Rows> {
  if (settings.isBatched || inputs.length === 1) return forwardBatch(session, inputs, settings);
  const rows: Rows[] = [];
  for (const input of inputs) rows.push(await forwardBatch(session, [input], settings));
  return joinRows(rows);
}

async function forwardBatch(session: Session, inputs: readonly EncodedInput[], settings: ForwardSettings): Promise<Rows> {
  const head = headOf(session.outputs);
  const output = await session.run(feedsOf(session.inputNames, inputs, settings.padId), head.output);
  checkShape(output, inputs.length);
  if (head.holds === "tokens") {
    const lengths = inputs.map(({ ids }) => ids.length);
    return poolTokens(output, lengths, settings.poolings);
  }
  return { values: output.data, width: output.data.length / inputs.length };
}

/** Rows of one model, one below the other. */
export function joinRows(rows: readonly Rows[]): Rows {
  const width = rows[0]?.width ?? 0;
  const values = new Float32Array(rows.reduce((sum, row) => sum + row.values.length, 0));
  let at = 0;
  for (const row of rows) {
    values.set(row.values, at);
    at += row.values.length;
  }
  return { values, width };
}

function feedsOf(inputNames: readonly string[], inputs: readonly EncodedInput[], padId: number): Record<string, Feed> {
  const length = inputs.reduce((longest, { ids }) => Math.max(longest, ids.length), 0);
  const dims = [inputs.length, length];
  const tensor = (fill: (row: Int32Array, input: EncodedInput) => void): Feed => {
    const data = new BigInt64Array(inputs.length * length);
    // Non-negative numbers, written as the lower halves of little-endian 64 bits: a BigInt per token would cost more than the rest of it.
    const halves = new Int32Array(data.buffer);
    const row = new Int32Array(length);
    inputs.forEach((input, index) => {
      fill(row, input);
      for (let at = 0; at < length; at += 1) halves[(index * length + at) * INT32_PER_INT64] = row[at] ?? 0;
    });
    return { data, dims };
  };
  const feeds: Record<string, Feed> = {
    input_ids: tensor((row, { ids }) => row.fill(padId).set(ids)),
    attention_mask: tensor((row, { ids }) => row.fill(0).fill(1, 0, ids.length)),
    token_type_ids: tensor((row, { typeIds }) => row.fill(0).set(typeIds)),
  };
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => inputNames.includes(name)));
}

function checkShape({ data, dims }: Output, rows: number): void {
  const isWhole = data.length === dims.reduce((product, dim) => product * dim, 1);
  if (dims[0] !== rows || !isWhole || data.length === 0)
    throw new Failure("engine_failed", `The graph answered with the shape [${dims}] for ${rows} inputs.`);
}
