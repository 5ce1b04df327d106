import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { stopClock } from "../../../test/harness/clock.ts";
import type { PlannedInput } from "../runtime/plan.ts";
import { createQuarantine } from "./quarantine.ts";
import { createScheduler } from "./scheduler.ts";
import type { Graph, WorkerAnswer, WorkerCall } from "./worker-protocol.ts";

const QUEUE = { inputsMax: 4_096, batchTokensMax: 1_024, batchInputsMax: 1, waitMsMax: 10_000 };
const OVERLOADED = expect.objectContaining({ code: "overloaded" });
const CALL_TOKENS = 100;
const RUN_MS = 1_000;

/** A scheduler with one worker that takes a second for each request of 100 tokens, and has done one; each request is a run of its own. */
async function startScheduler() {
  const clock = stopClock();
  const runs: ((answer: Exclude<WorkerAnswer, { kind: "failed" }>) => void)[] = [];
  const workers = {
    idleCount: () => (runs.length === 0 ? 1 : 0),
    run: (_: WorkerCall) => new Promise<WorkerAnswer>((resolve) => runs.push(resolve)),
  };
  const scheduler = createScheduler({ queue: QUEUE, workers, workerCount: 1, quarantine: createQuarantine(clock), clock, doubt: () => {} });
  const caller = (tenant: string, timeoutMs: number) => ({
    tenant,
    deadlineAtMs: clock.nowMs() + timeoutMs,
    signal: new AbortController().signal,
  });
  const compute = (tenant: string, timeoutMs = 60_000) => scheduler.compute(GRAPH, [inputOf(CALL_TOKENS)], caller(tenant, timeoutMs));
  const first = compute("acme");
  clock.advance(RUN_MS);
  runs.shift()?.({ kind: "rows", rows: [{ values: new Float32Array(1), width: 1 }], runMs: RUN_MS });
  await first;
  return { scheduler, compute, letIn: (tenant: string, timeoutMs: number) => scheduler.letIn(GRAPH, caller(tenant, timeoutMs)) };
}

test("whoever could only be answered too late is refused before his inputs are tokenised, by what requests came with of late", async () => {
  const { compute, letIn } = await startScheduler();
  for (const _ of [1, 2, 3, 4]) void compute("acme"); // one runs, three wait

  expect(() => letIn("acme", 4_500)).toThrow(OVERLOADED);
  expect(() => letIn("acme", 6_000)).not.toThrow();
});

test("those who are being tokenised count for whoever of their tenant comes after them, until they are queued or given up", async () => {
  const { compute, letIn } = await startScheduler();
  for (const _ of [1, 2]) void compute("acme");
  const queued = letIn("acme", 10_000);
  letIn("acme", 10_000);

  expect(() => letIn("acme", 4_500)).toThrow(OVERLOADED);
  expect(() => letIn("globex", 4_500)).not.toThrow();
  queued();
  expect(() => letIn("acme", 4_500)).not.toThrow();
});

test("an estimate that has become a little worse meanwhile sends nobody away who was let in", async () => {
  const { compute, letIn } = await startScheduler();
  for (const _ of [1, 2, 3, 4]) void compute("acme");

  expect(() => letIn("acme", 5_400)).toThrow(OVERLOADED);
  const refused = vi.fn();
  void compute("acme", 5_400).catch(refused);
  await nextTurn();
  expect(refused).not.toHaveBeenCalled();
  await expect(compute("acme", 4_300)).rejects.toThrow(OVERLOADED);
});

test("an idle pool takes anything", async () => {
  const { letIn } = await startScheduler();

  expect(() => letIn("acme", 1)).not.toThrow();
});

const GRAPH = { key: "model", isBatched: true } as unknown as Graph;

const inputOf = (tokens: number) => ({ ids: new Int32Array(tokens) }) as unknown as PlannedInput;
