import { Failure } from "../../../base/failure.ts";
import type { Decoder } from "./decoder.ts";
import { createLane, resizeLane } from "./lane.ts";
import { type CacheMode, logitsAt, runRows } from "./run.ts";

/** How a decoder is driven, found by running it. */
export type Drive = {
  readonly mode: CacheMode;
  /** Whether a text may be read in pieces of several tokens; else it is read whole, or token by token. */
  readonly readsPieces: boolean;
};

/** Some tokens, of which any vocabulary has five. */
const PROBE_TOKENS = 5;
const TOKEN_STRIDE = 7;
const FIRST_TOKENS = 3;
const PROBE_CAPACITY = 64;
/** Of the range of the logits: runs of the same sizes may differ in their last bits only. */
const SAME_DELTA_MAX = 1e-3;
/** Runs of other sizes take other kernels; those of quantised graphs move logits by a fifth of their deviation. */
const ALIKE_COSINE_MIN = 0.95;

/**
 * Finds how a graph keeps its cache: by trying, since neither names nor shapes tell. Each mode must give the logits of the plain way, in which the
 * cache is as long as the text. Fails with `invalid_request` if the graph does not continue a text that is read in two parts as it does the whole.
 */
export async function probeDecoder(decoder: Decoder): Promise<Drive> {
  try {
    const whole = await readAlone(decoder, "packed", [PROBE_TOKENS]);
    const plain = await readAlone(decoder, "packed", [FIRST_TOKENS, 1, 1]);
    if (!isAlike(whole, plain)) throw new Failure("engine_failed", "Its answer changes with its cache.");
    const pieces = await readAlone(decoder, "packed", [2, FIRST_TOKENS]).catch(unlessFailed);
    const mode = await findMode(decoder, plain);
    return { mode, readsPieces: pieces !== undefined && isAlike(whole, pieces) };
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    throw new Failure("invalid_request", `The decoder's graph cannot be driven. ${cause.message}`, { field: "onnx/model.onnx", cause });
  }
}

async function findMode(decoder: Decoder, plain: Float32Array): Promise<CacheMode> {
  for (const mode of ["per-row", "spread"] as const) {
    const alone = await readAlone(decoder, mode, [FIRST_TOKENS, 1, 1]).catch(unlessFailed);
    if (alone === undefined || !isSame(plain, alone)) continue;
    const inCompany = await readInCompany(decoder, mode).catch(unlessFailed);
    if (inCompany !== undefined && isAlike(plain, inCompany)) return mode;
  }
  return "packed";
}

const probeToken = (decoder: Decoder, at: number) => (TOKEN_STRIDE * (at + 1)) % decoder.vocabSize;
const tokensFrom = (decoder: Decoder, start: number, size: number) =>
  Int32Array.from({ length: size }, (_, at) => probeToken(decoder, start + at));

/** The last logits of a text that is read in parts of these sizes. */
async function readAlone(decoder: Decoder, mode: CacheMode, sizes: readonly number[]): Promise<Float32Array> {
  const lane = createLane(decoder);
  resizeLane(lane, { rows: 1, capacity: PROBE_CAPACITY });
  lane.rows = 1;
  let length = 0;
  let last = new Float32Array();
  for (const size of sizes) {
    const logits = await runRows(mode, { lane, first: 0, lengths: [length], tokens: [tokensFrom(decoder, length, size)], logits: "last" });
    if (logits !== undefined) last = logitsAt(logits, 0, 1).slice();
    length += size;
  }
  return last;
}

/** The same text beside a shorter one. */
async function readInCompany(decoder: Decoder, mode: CacheMode): Promise<Float32Array> {
  const lane = createLane(decoder);
  resizeLane(lane, { rows: 2, capacity: PROBE_CAPACITY });
  lane.rows = 2;
  const lengths = [FIRST_TOKENS, 1];
  for (const [row, size] of lengths.entries())
    await runRows(mode, { lane, first: row, lengths: [0], tokens: [tokensFrom(decoder, 0, size)], logits: "none" });
  let last = new Float32Array();
  for (let step = 0; step < PROBE_TOKENS - FIRST_TOKENS; step += 1) {
    const at = lengths.map((length) => length + step);
    const tokens = at.map((start) => tokensFrom(decoder, start, 1));
    const logits = await runRows(mode, { lane, first: 0, lengths: at, tokens, logits: "last" });
    if (logits !== undefined) last = logitsAt(logits, 0, 1).slice();
  }
  return last;
}

function isSame(a: Float32Array, b: Float32Array): boolean {
  let [least, most, delta] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const [at, value] of a.entries()) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    delta = Math.max(delta, Math.abs(value - (b[at] ?? Number.NaN)));
  }
  return delta <= SAME_DELTA_MAX * (most - least); // false for what is no number
}

/** Cosine of the deviations from the mean. */
function isAlike(a: Float32Array, b: Float32Array): boolean {
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [dot, squaresA, squaresB] = [0, 0, 0];
  for (const [at, value] of a.entries()) {
    const [deviationA, deviationB] = [value - meanA, (b[at] ?? Number.NaN) - meanB];
    dot += deviationA * deviationB;
    squaresA += deviationA ** 2;
    squaresB += deviationB ** 2;
  }
  return dot >= ALIKE_COSINE_MIN * Math.sqrt(squaresA * squaresB);
}

/** A mode that a graph does not work in fails as it runs. */
function unlessFailed(error: unknown): undefined {
  if (error instanceof Failure && error.code === "engine_failed") return undefined;
  throw error;
}
