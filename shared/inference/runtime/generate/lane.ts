import type { Tensor } from "../session.ts";
import { allocate, bytesPerToken, type CacheElements, type CacheTensor, type Decoder, dimsOf } from "./decoder.ts";

/**
 * The caches of some sequences, side by side in one tensor for each of the graph's: row `r` has its tokens in the places `[0, length)` of
 * `capacity`, whatever the lengths of the others, so a row joins, grows and leaves without moving theirs.
 */
export type Lane = {
  readonly decoder: Decoder;
  /** Rows in use: always the first ones. */
  rows: number;
  /** Rows there is memory for. */
  rowsAllocated: number;
  /** Places of each row. */
  capacity: number;
  /** In the decoder's order. */
  readonly tensors: CacheElements[];
};

/**
 * Capacities are multiples of it. A graph that concatenates puts a new token behind all places, so this number decides in which lane of a vector
 * unit it is summed: with multiples of 16, the widest unit's lanes, a row's logits are the same to the last bit in any company (tested); with
 * multiples of 8, or with padding on the left, they are not. Every free place costs a copy at each step, so it is no larger.
 */
export const CAPACITY_STEP = 16;

export function createLane(decoder: Decoder): Lane {
  return { decoder, rows: 0, rowsAllocated: 0, capacity: 0, tensors: decoder.tensors.map((tensor) => allocate(tensor, 0)) };
}

export function capacityFor(tokens: number): number {
  return Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP;
}

export function laneBytes({ decoder, rowsAllocated, capacity }: Lane): number {
  return rowsAllocated * capacity * bytesPerToken(decoder);
}

/** Gives a lane memory for so many rows and places; its rows keep what they hold. Tensor by tensor, so that at most one is there twice. */
export function resizeLane(lane: Lane, { rows, capacity }: { readonly rows: number; readonly capacity: number }): void {
  if (rows === lane.rowsAllocated && capacity === lane.capacity) return;
  for (const [at, tensor] of lane.decoder.tensors.entries()) {
    const next = allocate(tensor, rows * tensor.heads * capacity * tensor.width);
    const kept = Math.min(lane.rows, rows);
    copyTokens(
      { data: lane.tensors[at] ?? next, capacity: lane.capacity, row: 0, rows: kept },
      { data: next, capacity, row: 0 },
      { tensor, tokens: Math.min(lane.capacity, capacity) },
    );
    lane.tensors[at] = next;
  }
  lane.rowsAllocated = rows;
  lane.capacity = capacity;
}

/** Copies the first tokens of a row to a row of the same or another lane. */
export function copyRow(from: { lane: Lane; row: number }, to: { lane: Lane; row: number }, tokens: number): void {
  for (const [at, tensor] of from.lane.decoder.tensors.entries())
    copyTokens(
      { data: dataOf(from.lane, at), capacity: from.lane.capacity, row: from.row, rows: 1 },
      { data: dataOf(to.lane, at), capacity: to.lane.capacity, row: to.row },
      { tensor, tokens },
    );
}

/** Gives a row back; the last row takes its place. What it held is wiped: the graph multiplies masked places by 0, and 0 times infinity is no number. */
export function dropRow(lane: Lane, row: number): void {
  const last = lane.rows - 1;
  if (row !== last) copyRow({ lane, row: last }, { lane, row }, lane.capacity);
  for (const [at, tensor] of lane.decoder.tensors.entries()) {
    const size = tensor.heads * lane.capacity * tensor.width;
    dataOf(lane, at).fill(0, last * size, (last + 1) * size);
  }
  lane.rows = last;
}

/** Some neighbouring rows as the graph's tensors, by the names of `past`: the lane's own memory, without a copy. */
export function viewRows(lane: Lane, first: number, count: number): Map<CacheTensor, Tensor> {
  return new Map(
    lane.decoder.tensors.map((tensor, at) => {
      const size = tensor.heads * lane.capacity * tensor.width;
      const data = dataOf(lane, at).subarray(first * size, (first + count) * size);
      return [tensor, { type: tensor.type, data, dims: dimsOf(tensor, count, lane.capacity) }] as const;
    }),
  );
}

/** The same without free places: a copy of rows that all have the same length. */
export function packRows(lane: Lane, first: number, { count, tokens }: { count: number; tokens: number }): Map<CacheTensor, Tensor> {
  return new Map(
    lane.decoder.tensors.map((tensor, at) => {
      const data = allocate(tensor, count * tensor.heads * tokens * tensor.width);
      copyTokens(
        { data: dataOf(lane, at), capacity: lane.capacity, row: first, rows: count },
        { data, capacity: tokens, row: 0 },
        { tensor, tokens },
      );
      return [tensor, { type: tensor.type, data, dims: dimsOf(tensor, count, tokens) }] as const;
    }),
  );
}

/** Writes new tokens of a row: the last `tokens` places of row `from.row` of a graph's present. */
export function writeTokens(
  lane: Lane,
  from: { readonly at: number; readonly data: CacheElements; readonly row: number; readonly places: number },
  to: { readonly row: number; readonly length: number; readonly tokens: number },
): void {
  const tensor = lane.decoder.tensors[from.at];
  if (tensor === undefined) throw new Error(`a decoder has no cache tensor ${from.at}`);
  const { heads, width } = tensor;
  const target = dataOf(lane, from.at);
  for (let head = 0; head < heads; head += 1) {
    const source = ((from.row * heads + head + 1) * from.places - to.tokens) * width;
    const place = ((to.row * heads + head) * lane.capacity + to.length) * width;
    target.set(from.data.subarray(source, source + to.tokens * width), place);
  }
}

type Source = { readonly data: CacheElements; readonly capacity: number; readonly row: number; readonly rows: number };

function copyTokens(from: Source, to: Omit<Source, "rows">, { tensor, tokens }: { tensor: CacheTensor; tokens: number }): void {
  const { heads, width } = tensor;
  for (let head = 0; head < from.rows * heads; head += 1) {
    const source = (from.row * heads + head) * from.capacity * width;
    to.data.set(from.data.subarray(source, source + tokens * width), (to.row * heads + head) * to.capacity * width);
  }
}

function dataOf(lane: Lane, at: number): CacheElements {
  const data = lane.tensors[at];
  if (data === undefined) throw new Error(`a lane has no tensor ${at}`);
  return data;
}
