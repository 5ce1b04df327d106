import { bytesPerToken, type Decoder } from "./decoder.ts";
import { CAPACITY_STEP, capacityFor, copyRow, createLane, dropRow, type Lane, laneBytes, resizeLane } from "./lane.ts";

/** A sequence's place in the caches. */
export type Seat = {
  lane: SeatedLane;
  row: number;
  /** Tokens its cache holds. */
  length: number;
  /** Tokens it was promised room for. */
  room: number;
};

/** A lane and whose rows its are, in their order. */
export type SeatedLane = Lane & { readonly seats: Seat[] };

/**
 * The caches of all sequences, in lanes of like lengths: a short one beside a long one would pay for the long one's places at every step.
 * If the needs of those who sit are at most the pool's bytes, so is its memory, but for a tensor or a row that is just being moved.
 */
export type CachePool = {
  /** Bytes that a sequence of so many tokens in the end may come to need, its share of its lane's free places included. */
  readonly need: (tokens: number) => number;
  /** A new row behind all others of its lane, with room for so many tokens. */
  readonly sit: (tokens: number) => Seat;
  /** A second sequence with the same past. */
  readonly fork: (seat: Seat) => Seat;
  /** Room for more tokens; the sequence may move to another lane, behind the others. */
  readonly extend: (seat: Seat, tokens: number) => void;
  readonly leave: (seat: Seat) => void;
  readonly lanes: () => readonly SeatedLane[];
  readonly bytes: () => number;
};

/** Lanes hold up to this many tokens a row, twice as many, four times as many…; within one, no row pays for more than twice its own length. */
const SMALLEST_LANE_TOKENS = 256;

export function createCachePool(decoder: Decoder, bytesMax: number): CachePool {
  const lanes = new Map<number, SeatedLane>();
  const contextCapacity = capacityFor(decoder.tokensMax);
  const bytes = () => [...lanes.values()].reduce((sum, lane) => sum + laneBytes(lane), 0);

  function laneFor(tokens: number): SeatedLane {
    const bound = boundOf(tokens, contextCapacity);
    const lane = lanes.get(bound) ?? Object.assign(createLane(decoder), { seats: [] });
    lanes.set(bound, lane);
    return lane;
  }

  /** Memory for one more row, and for so many tokens in each. Spare rows of those who left are kept, unless the memory is wanted. */
  function makeRoom(lane: SeatedLane, more: { readonly rows: number; readonly tokens: number }): void {
    const rows = lane.rows + more.rows;
    const capacity = Math.max(lane.capacity, capacityFor(more.tokens));
    if (rows <= lane.rowsAllocated && capacity === lane.capacity) return;
    const growth = rows * capacity * bytesPerToken(decoder) - laneBytes(lane);
    if (bytes() + growth > bytesMax) for (const other of lanes.values()) trim(other);
    resizeLane(lane, { rows, capacity });
  }

  function leave(one: Seat): void {
    giveBack(one);
    if (one.lane.rows === 0) for (const [bound, each] of lanes) if (each === one.lane) lanes.delete(bound);
  }

  return {
    need: (tokens) => boundOf(tokens, contextCapacity) * bytesPerToken(decoder),
    sit(tokens) {
      const lane = laneFor(tokens);
      makeRoom(lane, { rows: 1, tokens });
      return takeRow(lane, { length: 0, room: tokens });
    },
    fork(from) {
      makeRoom(from.lane, { rows: 1, tokens: from.room });
      const to = takeRow(from.lane, from);
      copyRow(from, to, from.length);
      return to;
    },
    extend(one, tokens) {
      one.room = Math.max(one.room, tokens);
      const lane = laneFor(one.room);
      if (lane === one.lane) return makeRoom(lane, { rows: 0, tokens: one.room });
      makeRoom(lane, { rows: 1, tokens: one.room });
      const { length } = one;
      const place = { lane, row: lane.rows };
      lane.rows += 1;
      copyRow(one, place, length);
      leave(one);
      Object.assign(one, place);
      lane.seats.push(one);
    },
    leave,
    lanes: () => [...lanes.values()],
    bytes,
  };
}

function takeRow(lane: SeatedLane, { length, room }: Pick<Seat, "length" | "room">): Seat {
  const seat = { lane, row: lane.rows, length, room };
  lane.rows += 1;
  lane.seats.push(seat);
  return seat;
}

/** The last row takes the place of the one that is given back. */
function giveBack({ lane, row }: Seat): void {
  const last = lane.seats.pop();
  if (last === undefined) throw new Error("a lane has a seat for each of its rows");
  if (last.row !== row) {
    lane.seats[row] = last;
    last.row = row;
  }
  dropRow(lane, row);
}

function boundOf(tokens: number, contextCapacity: number): number {
  let bound = SMALLEST_LANE_TOKENS;
  while (bound < tokens) bound *= 2;
  return Math.min(bound, contextCapacity);
}

/** Gives back what nobody uses. */
function trim(lane: SeatedLane): void {
  const tokens = lane.seats.reduce((most, { room }) => Math.max(most, room), CAPACITY_STEP);
  resizeLane(lane, { rows: lane.rows, capacity: Math.min(lane.capacity, capacityFor(tokens)) });
}
