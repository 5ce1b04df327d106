import { Failure } from "../../../base/failure.ts";
import { toFloat32 } from "../float16.ts";
import type { Tensor } from "../session.ts";
import { type CacheTensor, dimsOf, isCacheElements, KEPT_POSITIONS, PICKED_PLACES, PICKED_PREFIX } from "./decoder.ts";
import { type Lane, packRows, viewRows, writeTokens } from "./lane.ts";

/**
 * How a graph keeps what it has read.
 * `per-row`: grouped-query attention puts a row's new tokens where its own attention mask ends: into the very memory of its past, where that is
 * given for the present as well.
 * `spread`: the graph puts new tokens behind the past; free places between a row's tokens and those are masked.
 * `packed`: the same without free places, for graphs that count positions themselves; rows run together only if their lengths are equal.
 */
export type CacheMode = "per-row" | "spread" | "packed";

/** Neighbouring rows of a lane, with as many new tokens for each of them; the lane has room for those. */
export type Run = {
  readonly lane: Lane;
  readonly first: number;
  /** Tokens that each row's cache holds. */
  readonly lengths: readonly number[];
  readonly tokens: readonly Int32Array[];
  /** Which positions' logits are wanted. */
  readonly logits: "none" | "last" | "all";
};

/** `[rows, positions, vocabulary]`, float32. */
export type Logits = { readonly data: Float32Array; readonly positions: number; readonly vocabSize: number };

const INT32_PER_INT64 = 2;

/** Reads new tokens into the caches of some rows. Fails with `engine_failed`. */
export async function runRows(mode: CacheMode, run: Run): Promise<Logits | undefined> {
  const { decoder } = run.lane;
  const pasts = pastsOf(mode, run);
  const fetches: Record<string, Tensor | undefined> = run.logits === "none" ? {} : { logits: undefined };
  for (const [{ present }, past] of pasts) {
    if (mode === "per-row" && !decoder.picks) fetches[present] = past;
    else fetches[(decoder.picks ? PICKED_PREFIX : "") + present] = undefined;
  }
  const results = await decoder.session.run(feedsOf(mode, run, pasts), fetches);
  if (mode !== "per-row" || decoder.picks) keepNew(run, results);
  return run.logits === "none" ? undefined : logitsOf(run, results["logits"]);
}

/** The logits after some row's position, counted from the end: 1 is the last. */
export function logitsAt({ data, positions, vocabSize }: Logits, row: number, fromEnd: number): Float32Array {
  const start = (row * positions + positions - fromEnd) * vocabSize;
  return data.subarray(start, start + vocabSize);
}

function pastsOf(mode: CacheMode, { lane, first, lengths }: Run): Map<CacheTensor, Tensor> {
  const isFresh = lengths.every((length) => length === 0);
  if (mode === "per-row" || (mode === "spread" && !isFresh)) return viewRows(lane, first, lengths.length);
  return packRows(lane, first, { count: lengths.length, tokens: lengths[0] ?? 0 });
}

function feedsOf(mode: CacheMode, run: Run, pasts: ReadonlyMap<CacheTensor, Tensor>): Record<string, Tensor> {
  const { others } = run.lane.decoder;
  const size = run.tokens[0]?.length ?? 0;
  const feeds: Record<string, Tensor> = {};
  for (const [{ past }, tensor] of pasts) feeds[past] = tensor;
  const integers = (name: string, width: number, fill: (row: Int32Array, at: number) => void) => {
    const type = others.get(name)?.type;
    if (type !== undefined) feeds[name] = integerRows(type === "int32", { rows: run.tokens.length, width }, fill);
  };
  integers("input_ids", size, (row, at) => row.set(run.tokens[at] ?? []));
  integers("position_ids", size, (row, at) => row.set(row.map((_, index) => (run.lengths[at] ?? 0) + index)));
  const width = maskWidth(mode, run);
  integers("attention_mask", width, (row, at) => fillMask(mode, row, { length: run.lengths[at] ?? 0, size }));
  if (others.has("use_cache_branch"))
    feeds["use_cache_branch"] = { type: "bool", data: Uint8Array.of(run.lengths[0] === 0 ? 0 : 1), dims: [1] };
  if (run.lane.decoder.picks)
    feeds[PICKED_PLACES] = pickedPlaces(run, (row) => (mode === "per-row" ? (run.lengths[row] ?? 0) : width - size));
  if (run.lane.decoder.keeps) feeds[KEPT_POSITIONS] = keptPositions(run);
  const kept = others.get("num_logits_to_keep");
  if (kept !== undefined) feeds[kept.name] = scalar(kept.type === "int32", run.logits === "all" ? size : 1, kept.dims.length);
  return feeds;
}

/** Of per-row graphs each row's mask alone says where its past ends, so there are no places to mask. */
function maskWidth(mode: CacheMode, { lane, lengths, tokens }: Run): number {
  const size = tokens[0]?.length ?? 0;
  const longest = Math.max(...lengths);
  return (mode === "spread" && longest > 0 ? lane.capacity : longest) + size;
}

function fillMask(mode: CacheMode, row: Int32Array, { length, size }: { length: number; size: number }): void {
  row.fill(1, 0, length);
  if (mode === "per-row") row.fill(1, length, length + size);
  else row.fill(1, row.length - size);
}

function integerRows(
  isNarrow: boolean,
  { rows, width }: { rows: number; width: number },
  fill: (row: Int32Array, at: number) => void,
): Tensor {
  const narrow = new Int32Array(rows * width);
  for (let at = 0; at < rows; at += 1) fill(narrow.subarray(at * width, (at + 1) * width), at);
  const dims = [rows, width];
  return isNarrow ? { type: "int32", data: narrow, dims } : { type: "int64", data: widen(narrow), dims };
}

/** Non-negative numbers are the lower halves of little-endian 64 bits: a BigInt for each would cost more than the rest of it. */
function widen(narrow: Int32Array): BigInt64Array {
  const data = new BigInt64Array(narrow.length);
  const halves = new Int32Array(data.buffer);
  for (let at = 0; at < narrow.length; at += 1) halves[at * INT32_PER_INT64] = narrow[at] ?? 0;
  return data;
}

/** `[row, head, place]` of each new token in the presents. */
function pickedPlaces({ lane, tokens }: Run, firstPlace: (row: number) => number): Tensor {
  const [heads, size] = [lane.decoder.tensors[0]?.heads ?? 0, tokens[0]?.length ?? 0];
  const places = new Int32Array(tokens.length * heads * size * 3);
  let at = 0;
  for (let row = 0; row < tokens.length; row += 1)
    for (let head = 0; head < heads; head += 1)
      for (let token = 0; token < size; token += 1, at += 3) places.set([row, head, firstPlace(row) + token], at);
  return { type: "int64", data: widen(places), dims: [tokens.length, heads, size, 3] };
}

/** Of a run that wants none the last one's are computed, too: a graph cannot leave its output out. */
function keptPositions({ tokens, logits }: Run): Tensor {
  const size = tokens[0]?.length ?? 0;
  const positions = logits === "all" ? Int32Array.from({ length: size }, (_, at) => at) : Int32Array.of(size - 1);
  return { type: "int64", data: widen(positions), dims: [positions.length] };
}

function scalar(isNarrow: boolean, value: number, rank: number): Tensor {
  const narrow = Int32Array.of(value);
  const dims = rank === 0 ? [] : [1];
  return isNarrow ? { type: "int32", data: narrow, dims } : { type: "int64", data: widen(narrow), dims };
}

/** Of what the graph gives back, which is all of a row's past once more, only the new tokens are copied into the lane. */
function keepNew({ lane, first, lengths, tokens }: Run, results: Readonly<Record<string, Tensor>>): void {
  for (const [at, tensor] of lane.decoder.tensors.entries()) {
    const present = results[(lane.decoder.picks ? PICKED_PREFIX : "") + tensor.present];
    const places = present?.dims[tensor.rank - 2] ?? 0;
    if (present === undefined || !isCacheElements(present.data) || !isShape(present.dims, dimsOf(tensor, lengths.length, places)))
      throw new Failure("engine_failed", `The graph answered ${tensor.present} with the shape [${present?.dims}].`);
    for (const [row, length] of lengths.entries())
      writeTokens(lane, { at, data: present.data, row, places }, { row: first + row, length, tokens: tokens[row]?.length ?? 0 });
  }
}

function logitsOf({ lengths, tokens, logits, lane }: Run, tensor: Tensor | undefined): Logits {
  const [rows = 0, positions = 0, vocabSize = 0] = tensor?.dims ?? [];
  const least = logits === "all" ? (tokens[0]?.length ?? 0) : 1;
  if (tensor === undefined || rows !== lengths.length || positions < least || vocabSize !== lane.decoder.vocabSize)
    throw new Failure("engine_failed", `The graph answered logits with the shape [${tensor?.dims}] for ${lengths.length} rows.`);
  return { data: floatsOf(tensor), positions, vocabSize };
}

function floatsOf(tensor: Tensor): Float32Array {
  const floats = toFloat32(tensor);
  if (floats === undefined) throw new Failure("engine_failed", `The graph's logits are ${tensor.type}.`);
  return floats;
}

const isShape = (dims: readonly number[], expected: readonly number[]) =>
  dims.length === expected.length && dims.every((dim, at) => dim === expected[at]);
