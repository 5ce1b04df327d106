import { expect, onTestFinished, test, vi } from "vitest";
import { stopClock } from "../../../test/harness/clock.ts";
import { Failure } from "../../base/failure.ts";
import type { InferenceRequest } from "../contract.ts";
import { createEngine } from "./engine.ts";

const QUEUE = { inputsMax: 4_096, batchTokensMax: 1_024, batchInputsMax: 128, waitMsMax: 10_000 };
const OVERLOADED = expect.objectContaining({ code: "overloaded", retryAfterMs: 1_000 });

/** An engine whose models never open: whatever it takes in is there until its caller leaves. */
function startEngine() {
  let opens = 0;
  const open = () => {
    opens += 1;
    return new Promise<never>(() => {});
  };
  const workers = {
    idleCount: () => 0,
    isUp: () => true,
    untilUp: Promise.resolve(),
    run: never,
    hasRoom: () => false,
    generate: () => () => {},
    close: async () => {},
  };
  const engine = createEngine({
    models: { open, doubt: () => {}, close: async () => {} },
    queue: QUEUE,
    generationsMax: 4,
    workerCount: 1,
    clock: stopClock(),
    startWorkers: () => workers,
  });
  return { engine, openCount: () => opens };
}

test("what the queue would have no room for is refused before any work, and half of the room is other tenants'", async () => {
  const { engine, openCount } = startEngine();
  const leaving = new AbortController();
  const limits = { signal: leaving.signal, timeoutMs: 10_000 };
  const taken = [engine.run(requestOf("bulk", 2_048), limits)];

  await expect(engine.run(requestOf("bulk", 1), limits)).rejects.toThrow(OVERLOADED);
  taken.push(engine.run(requestOf("acme", 2_048), limits));
  await expect(engine.run(requestOf("globex", 1), limits)).rejects.toThrow(OVERLOADED);
  expect(openCount()).toBe(2);

  leaving.abort();
  for (const run of taken) await expect(run).rejects.toThrow(Failure);
  const again = engine.run(requestOf("bulk", 2_048), { ...limits, signal: AbortSignal.abort() });
  await expect(again).rejects.toMatchObject({ code: "cancelled" });
});

test("a generation that is refused leaves no timer behind", async () => {
  const { engine } = startEngine();
  const leaving = new AbortController();
  const limits = { signal: leaving.signal, timeoutMs: 10_000 };
  const taken = engine.run(requestOf("bulk", 2_048), limits);
  const { body: _, ...request } = requestOf("bulk", 0);
  const call = {
    ...request,
    body: { task: "generate", prompts: [{ kind: "text", text: "x" }], n: 1, maxTokens: 1, sampling: {}, stop: [] },
  } as const;
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());

  await expect(Array.fromAsync(engine.generate(call, limits))).rejects.toThrow(OVERLOADED);

  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  leaving.abort();
  await expect(taken).rejects.toThrow(Failure);
});

function requestOf(tenant: string, inputs: number): InferenceRequest {
  const body = {
    task: "embed",
    overlong: "cut",
    inputs: Array.from({ length: inputs }, () => ({ kind: "text", text: "x" }) as const),
  } as const;
  return { requestId: "r", tenant, model: "m", version: 1, manifestDigest: "0".repeat(64), dtype: "fp32", body };
}

async function never(): Promise<never> {
  throw new Error("no worker is idle");
}
