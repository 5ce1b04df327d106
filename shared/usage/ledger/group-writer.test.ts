import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type StoppedClock, stopClock } from "../../../test/harness/clock.ts";
import type { WireItem } from "../../dynamo/lean-client.ts";
import { createGroupWriter, type GroupWriter } from "./group-writer.ts";

/** A batch that has been handed to the store and waits for the test's word. */
type Flight = {
  readonly names: string[];
  /** The store has written all but the named ones. */
  readonly land: (...unprocessed: string[]) => Promise<void>;
  readonly fail: () => Promise<void>;
};

let clock: StoppedClock;
let flights: Flight[];
let writer: GroupWriter;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout"] }); // the back-off's
  clock = stopClock();
  flights = [];
  writer = createGroupWriter({ clock, write });
});
afterEach(() => {
  vi.useRealTimers();
});

const itemOf = (name: string): WireItem => ({ pk: { S: "p" }, sk: { S: name } });
const nameOf = (item: WireItem) => (item["sk"] as { S: string }).S; // as made above
const tick = () => new Promise<void>((done) => setImmediate(done));

function write(items: readonly WireItem[]): Promise<readonly WireItem[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly WireItem[]>();
  flights.push({
    names: items.map(nameOf),
    land: (...unprocessed) => {
      resolve(items.filter((item) => unprocessed.includes(nameOf(item))));
      return tick();
    },
    fail: () => {
      reject(new Error("the store is away"));
      return tick();
    },
  });
  return promise;
}

/** Hands rows in and remembers how each ended. */
function hand(...names: string[]): Map<string, string> {
  const outcomes = new Map<string, string>();
  for (const name of names) void writer.write(itemOf(name), 10_000).then((outcome) => outcomes.set(name, outcome));
  return outcomes;
}

const many = (count: number, prefix = "row") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const backOff = () => vi.advanceTimersByTimeAsync(1_000);

test("the first row flies at once, and those that come meanwhile go together when it has landed", async () => {
  const outcomes = hand("a", "b", "c");

  expect(flights.map(({ names }) => names)).toEqual([["a"]]);
  await flights[0]?.land();
  expect(flights.map(({ names }) => names)).toEqual([["a"], ["b", "c"]]);
  await flights[1]?.land();

  expect([...outcomes]).toEqual([
    ["a", "written"],
    ["b", "written"],
    ["c", "written"],
  ]);
});

test("a second batch flies beside the first only when it is full, and four at most", async () => {
  hand("a", ...many(24));
  expect(flights).toHaveLength(1);

  hand("b");
  expect(flights.map(({ names }) => names.length)).toEqual([1, 25]);
  hand(...many(100, "more"));
  expect(flights).toHaveLength(4);
  await flights[1]?.land();

  expect(flights.map(({ names }) => names.length)).toEqual([1, 25, 25, 25, 25]);
});

test("what the store leaves unprocessed is written again, and only that", async () => {
  const outcomes = hand("a", "b", "c");
  await flights[0]?.land();
  await flights[1]?.land("c");

  expect([...outcomes.keys()]).toEqual(["a", "b"]);
  await backOff();
  expect(flights[2]?.names).toEqual(["c"]);
  await flights[2]?.land();

  expect(outcomes.get("c")).toBe("written");
});

test("a batch of which nothing is known is repeated as it was, one batch at a time", async () => {
  const outcomes = hand("a", ...many(60));
  for (const flight of flights.splice(0)) await flight.fail();
  expect(flights).toEqual([]); // backing off

  await backOff();
  expect(flights).toHaveLength(1);
  expect(flights[0]?.names).toHaveLength(25);
  for (let turn = 0; turn < 5; turn += 1) for (const flight of flights.splice(0)) await flight.land();

  expect(outcomes.size).toBe(61);
  expect(new Set(outcomes.values())).toEqual(new Set(["written"]));
});

test("when the time is over, a row that was sent is unknown and one that only waited is unsent", async () => {
  const outcomes = hand("sent", "waiting");

  clock.advance(10_000);
  await flights[0]?.fail();

  expect(Object.fromEntries(outcomes)).toEqual({ sent: "unknown", waiting: "unsent" });
  expect(writer.waitingCount()).toBe(0);
});

test("draining waits for everything that was handed in, whether written or given up", async () => {
  let isDrained = false;
  hand("a", "b");
  void writer.drain().then(() => {
    isDrained = true;
  });

  await flights[0]?.land();
  expect(isDrained).toBe(false);
  clock.advance(10_000);
  await flights[1]?.fail();
  await backOff();

  expect(isDrained).toBe(true);
  await writer.drain(); // nothing to wait for
});
