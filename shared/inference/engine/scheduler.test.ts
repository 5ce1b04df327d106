import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { stopClock } from "../../../test/harness/clock.ts";
import type { PlannedInput } from "../runtime/plan.ts";
import { createQuarantine } from "./quarantine.ts";
import { createScheduler, type SchedulerLimits } from "./scheduler.ts";
import type { Graph, WorkerAnswer, WorkerCall } from "./worker-protocol.ts";

const QUEUE = { inputsMax: 4_096, batchTokensMax: 1_024, batchInputsMax: 1, waitMsMax: 10_000 };
const OVERLOADED = expect.objectContaining({ code: "overloaded" });
const CALL_TOKENS = 100;
const RUN_MS = 1_000;

/** A scheduler with one worker that takes a second, or `runMs`, for each request of 100 tokens, and has done one; each request is a run of its own. */
async function startScheduler({ queue = QUEUE, runMs = RUN_MS }: { queue?: SchedulerLimits; runMs?: number } = {}) {
  const clock = stopClock();
  const runs: ((answer: Exclude<WorkerAnswer, { kind: "failed" }>) => void)[] = [];
  const sizes: number[] = [];
  const workers = {
    idleCount: () => (runs.length === 0 ? 1 : 0),
    run(call: WorkerCall) {
      sizes.push(call.kind === "run" ? call.inputs.length : 0);
      return new Promise<WorkerAnswer>((resolve) => runs.push(resolve));
    },
  };
  const scheduler = createScheduler({ queue, workers, workerCount: 1, quarantine: createQuarantine(clock), clock, doubt: () => {} });
  const caller = (tenant: string, timeoutMs: number) => ({
    tenant,
    deadlineAtMs: clock.nowMs() + timeoutMs,
    signal: new AbortController().signal,
  });
  const compute = (tenant: string, timeoutMs = 60_000) => scheduler.compute(GRAPH, [inputOf(CALL_TOKENS)], caller(tenant, timeoutMs));
  const answer = () => {
    clock.advance(runMs);
    runs.shift()?.({ kind: "rows", rows: [{ values: new Float32Array(1), width: 1 }], runMs });
  };
  const first = compute("acme");
  answer();
  await first;
  return {
    scheduler,
    compute,
    answer,
    sizes,
    letIn: (tenant: string, timeoutMs: number) => scheduler.letIn(GRAPH, caller(tenant, timeoutMs)),
  };
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

test("a batch is full where more of it are no faster, and larger for a model that is so fast that the way to its worker counts", async () => {
  const queue = { ...QUEUE, batchInputsMax: 64, batchTokensEnough: 200 };
  const sizeAfter = async (runMs: number) => {
    const { scheduler, compute, answer, sizes } = await startScheduler({ queue, runMs });
    for (let call = 0; call < 30; call += 1) void compute("acme"); // one runs, the others wait
    answer();
    scheduler.pump();
    return sizes.at(-1);
  };

  expect(await sizeAfter(100)).toBe(2);
  expect(await sizeAfter(5)).toBe(4);
  expect(await sizeAfter(1)).toBe(10); // by QUEUE's batchTokensMax
});

test("an idle pool takes anything", async () => {
  const { letIn } = await startScheduler();

  expect(() => letIn("acme", 1)).not.toThrow();
});

const GRAPH = { key: "model", isBatched: true } as unknown as Graph;

const inputOf = (tokens: number) => ({ ids: new Int32Array(tokens) }) as unknown as PlannedInput;
