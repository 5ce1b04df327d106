import { expect, test } from "vitest";
import { stopClock } from "../../../test/harness/clock.ts";
import type { GenerateEvent } from "../generation.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import { createGenerations } from "./generations.ts";
import { createQuarantine } from "./quarantine.ts";
import type { GenerationSink } from "./running-generations.ts";
import type { Graph } from "./worker-protocol.ts";

const GRAPH: Graph = {
  key: "gpt2",
  folder: "/m",
  path: "/m/model.onnx",
  weightBytes: 1,
  padId: 0,
  firstPosition: 0,
  poolings: [],
  isBatched: true,
  head: { head: "generate", holds: "tokens", outputs: ["logits"] },
};
const DONE: GenerateEvent = { kind: "done", outputTokens: [1], queueMs: 0, runMs: 1 };

/** Generations of workers that have room for one at a time, and note what they are given. */
function start(waitingMax = 4) {
  const running: { readonly id: string; readonly withinMs: number | undefined; readonly sink: GenerationSink }[] = [];
  const started: string[] = [];
  const clock = stopClock();
  const generations = createGenerations({
    waitingMax,
    clock,
    quarantine: createQuarantine(clock),
    workers: {
      hasRoom: () => running.length === 0,
      generate(_graph, { id, withinMs }, sink) {
        const own = { id, withinMs, sink };
        running.push(own);
        started.push(id);
        return () => void running.splice(running.indexOf(own), 1);
      },
    },
  });
  const ask = (id: string, more: { tenant?: string; signal?: AbortSignal } = {}) =>
    generations.start(GRAPH, orderOf(id), {
      tenant: more.tenant ?? "demo",
      signal: more.signal ?? new AbortController().signal,
      deadlineAtMs: clock.nowMs() + 60_000,
    });
  return { ask, clock, generations, running, started: () => started.map((id) => id.split(" ")[0]) };
}

test("a caller who leaves makes room for the one who waits, whatever else happens", async () => {
  const { ask, started } = start();
  const leaving = new AbortController();
  const left = ask("left", { signal: leaving.signal }).getReader();
  ask("next");
  expect(started()).toEqual(["left"]);

  leaving.abort();

  await expect(left.read()).rejects.toMatchObject({ code: "cancelled" });
  expect(started()).toEqual(["left", "next"]);
});

test("whoever stops reading while they wait is never started", async () => {
  const { ask, generations, running, started } = start();
  ask("first");
  await ask("gone").cancel();
  ask("last");

  running.pop()?.sink.event(DONE);
  generations.pump();

  expect(started()).toEqual(["first", "last"]);
});

test("a tenant fills half of the line, and others find the rest", () => {
  const { ask } = start(4);
  const overloaded = expect.objectContaining({ code: "overloaded" });
  for (const id of ["runs", "waits", "waits too"]) ask(id, { tenant: "flood" });

  expect(() => ask("refused", { tenant: "flood" })).toThrow(overloaded);
  for (const id of ["a", "b"]) ask(id, { tenant: "acme" });
  expect(() => ask("c", { tenant: "globex" })).toThrow(overloaded);
});

test("a request that is sent again is another order, so that the end of the first does not end it", () => {
  const { ask, running } = start();
  const [leaving, staying] = [new AbortController(), new AbortController()];
  ask("same", { signal: leaving.signal });
  ask("same", { signal: staying.signal });
  const [first] = running;

  leaving.abort();

  expect(running).toHaveLength(1);
  expect(running[0]?.id).not.toBe(first?.id);
});

test("the time that an order has waited for a worker is gone of the time in which it has to end", () => {
  const { generations, running, clock } = start();
  const caller = { tenant: "demo", signal: new AbortController().signal, deadlineAtMs: clock.nowMs() + 60_000 };
  generations.start(GRAPH, { ...orderOf("first"), withinMs: 5_000 }, caller);
  generations.start(GRAPH, { ...orderOf("second"), withinMs: 5_000 }, caller);
  clock.advance(2_000);
  const before = running[0]?.withinMs;

  running.pop()?.sink.event(DONE);
  generations.pump();

  expect([before, running[0]?.withinMs]).toEqual([5_000, 3_000]);
});

function orderOf(id: string): GenerateOrder {
  return { id, prompts: [Int32Array.of(1)], n: 1, sampling: {}, stop: [] };
}
