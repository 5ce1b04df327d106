import fc from "fast-check";
import { expect, test } from "vitest";
import type { Failure } from "../../base/failure.ts";
import { createQueue, type Queue, type Waiting } from "./queue.ts";

const LIMITS = { inputsMax: 10, batchTokensMax: 100, batchInputsMax: 8 };

type Input = Waiting & { readonly name: string; readonly refusals: Failure[] };

const clock = { at: 0, nowMs: () => clock.at };

test("of one tenant, the model whose oldest input waits longest goes first", () => {
  const queue = createQueue<Input>(LIMITS, clock);
  queue.add([input("b1", { group: "b", turnAtMs: 2 })]);
  queue.add([input("a1", { group: "a", turnAtMs: 1 }), input("a2", { group: "a", turnAtMs: 3 })]);

  expect(names(queue)).toEqual(["a1", "a2"]);
  expect(names(queue)).toEqual(["b1"]);
  expect(names(queue)).toEqual([]);
});

test("an input whose turn is sooner goes before those that were added before it", () => {
  const queue = createQueue<Input>({ ...LIMITS, batchInputsMax: 2 }, clock);
  queue.add([0, 500, 1_000].map((turnAtMs) => input(`large ${turnAtMs}`, { turnAtMs })));
  queue.add([input("small", { turnAtMs: 400 })]);

  expect(names(queue)).toEqual(["large 0", "small"]);
  expect(names(queue)).toEqual(["large 500", "large 1000"]);
});

test("idle workers share what waits", () => {
  const queue = createQueue<Input>(LIMITS, clock);
  queue.add(["1", "2", "3", "4"].map((name) => input(name)));

  expect(names(queue, 2)).toEqual(["1", "2"]);
  expect(names(queue, 1)).toEqual(["3", "4"]);
});

test("where a small batch is as fast as a large one, no batch is larger, unless one input is", () => {
  const queue = createQueue<Input>({ ...LIMITS, batchTokensMax: 1_000, batchTokensEnough: () => 20 }, clock);
  queue.add(["1", "2", "3", "4", "5"].map((name) => input(name, { tokens: 10 })));
  queue.add([input("long", { tokens: 30 })]);

  expect(names(queue, 4)).toEqual(["1", "2"]);
  expect(names(queue, 1)).toEqual(["3", "4"]);
  expect(names(queue, 1)).toEqual(["5"]);
  expect(names(queue, 1)).toEqual(["long"]);
});

test("inputs that run one by one go in small portions, so that nobody waits long behind them", () => {
  const queue = createQueue<Input>({ ...LIMITS, batchTokensMax: 1_000 }, clock);
  queue.add(["1", "2", "3"].map((name) => input(name, { tokens: 100, isPadded: false })));
  queue.add([input("long", { tokens: 500, isPadded: false })]);

  expect(names(queue)).toEqual(["1", "2"]);
  expect(names(queue)).toEqual(["3"]);
  expect(names(queue)).toEqual(["long"]);
});

test("a full queue refuses all of a request and says when to come back", () => {
  const queue = createQueue<Input>(LIMITS, clock);
  queue.add(Array.from({ length: 8 }, () => input("early")));

  expect(() => queue.add([input("late"), input("late"), input("late")])).toThrow(
    expect.objectContaining({ code: "overloaded", retryAfterMs: 1_000 }),
  );
  expect(queue.size()).toBe(8);
});

test("an input that no batch can hold is refused at once", () => {
  const queue = createQueue<Input>(LIMITS, clock);

  expect(() => queue.add([input("fits"), input("long", { tokens: 101 })])).toThrow(/101 tokens does not fit into a batch of 100/);
  expect(queue.size()).toBe(0);
});

test("who has left is skipped and told, and makes room", () => {
  const queue = createQueue<Input>(LIMITS, clock);
  const leaving = new AbortController();
  const left = Array.from({ length: 10 }, () => input("left", { signal: leaving.signal }));
  queue.add(left);
  leaving.abort();

  queue.add([input("stays")]);

  expect(names(queue)).toEqual(["stays"]);
  expect(left.map(({ refusals }) => refusals.map(({ code }) => code))).toEqual(Array(10).fill(["cancelled"]));
});

test("whose time is over is told so instead of being run", () => {
  const queue = createQueue<Input>(LIMITS, clock);
  const late = input("late", { deadlineAtMs: 50 });
  queue.add([late, input("in time", { deadlineAtMs: 51 })]);
  clock.at = 50;

  expect(names(queue)).toEqual(["in time"]);
  expect(late.refusals).toMatchObject([{ code: "timeout" }]);
  clock.at = 0;
});

test("a queue of nothing but people who left is empty", () => {
  const queue = createQueue<Input>(LIMITS, clock);
  queue.add([input("a", { group: "a", signal: AbortSignal.abort() }), input("b", { group: "b", signal: AbortSignal.abort() })]);

  expect(names(queue)).toEqual([]);
  expect(queue.size()).toBe(0);
});

test("tenants take turns by tokens, however many requests one of them has sent before", () => {
  const queue = createQueue<Input>({ inputsMax: 1_000, batchTokensMax: 300, batchInputsMax: 1 }, clock);
  queue.add(Array.from({ length: 100 }, (_, at) => input(`bulk ${at}`, { tenant: "bulk", tokens: 250, turnAtMs: at })));
  queue.add(Array.from({ length: 6 }, (_, at) => input(`small ${at}`, { tenant: "small", tokens: 125, turnAtMs: 1_000 + at })));

  const order = Array.from({ length: 9 }, () => names(queue)[0]?.split(" ")[0]);

  // 125 tokens twice for every 250.
  expect(order.filter((name) => name === "small")).toHaveLength(6);
  expect(order.slice(0, 3).filter((name) => name === "small").length).toBeGreaterThan(0);
});

test("whatever they send, two tenants who always wait get equal tokens, within a batch and a quantum", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 400, maxLength: 400 }),
      fc.integer({ min: 1, max: 8 }),
      (lengths, inputsMax) => {
        const queue = createQueue<Input>({ inputsMax: 1_000, batchTokensMax: 400, batchInputsMax: inputsMax }, clock);
        // One sends long inputs first, the other short ones; both have far more than is taken below.
        queue.add(lengths.map((tokens, at) => input("a", { tenant: "a", group: `g${at % 3}`, tokens: 200 - tokens + 1, turnAtMs: 0 })));
        queue.add(lengths.map((tokens, at) => input("b", { tenant: "b", group: `g${at % 3}`, tokens, turnAtMs: 5 })));
        const taken = { a: 0, b: 0 };

        for (let batch = 0; batch < 40; batch += 1) for (const each of queue.take(1)) taken[each.tenant === "a" ? "a" : "b"] += each.tokens;

        expect(Math.abs(taken.a - taken.b)).toBeLessThanOrEqual(2 * 400 + 2 * 256);
      },
    ),
  );
});

test("what a tenant waits for is its own and as much again of each other", () => {
  const queue = createQueue<Input>({ ...LIMITS, inputsMax: 1_000 }, clock);
  queue.add(Array.from({ length: 100 }, () => input("bulk", { tenant: "bulk", group: "a", tokens: 10 })));
  queue.add([input("own", { tenant: "own", group: "b", tokens: 40 })]);

  expect(Object.fromEntries(queue.ahead("bulk"))).toEqual({ a: 1_000, b: 40 });
  expect(Object.fromEntries(queue.ahead("own"))).toEqual({ a: 300, b: 40 });
});

function input(name: string, change: Partial<Waiting> = {}): Input {
  const refusals: Failure[] = [];
  const refuse = (failure: Failure) => void refusals.push(failure);
  const { signal } = new AbortController();
  return {
    name,
    refusals,
    tenant: "demo",
    group: "a",
    tokens: 10,
    isPadded: true,
    turnAtMs: 0,
    deadlineAtMs: 1_000,
    signal,
    refuse,
    ...change,
  };
}

function names(queue: Queue<Input>, idleWorkers = 1): string[] {
  return queue.take(idleWorkers).map(({ name }) => name);
}
