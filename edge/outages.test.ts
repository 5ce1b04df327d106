import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure, type FailureCode } from "../shared/base/failure.ts";
import type { CallLimits, InferenceRequest } from "../shared/inference/contract.ts";
import { fails, hangs, runModel } from "../test/harness/model-double.ts";
import { type Serving, startServing } from "../test/harness/serving.ts";
import { SETTLE_TIMEOUT_MS } from "./limits.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.store.turn("open");
  weir.model.asked.length = 0;
  weir.logged.length = 0;
  await weir.newRows();
});

const embed = (options: RequestInit = {}) =>
  fetch(`${weir.url}/v1/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${weir.key}` },
    body: JSON.stringify({ model: "minilm", input: "x" }),
    ...options,
  });

const usageOf = async (tenant: string) => {
  const nowMs = weir.clock.nowMs();
  const { sums } = await weir.deps.usage.read(tenant, { fromMs: nowMs - 120_000, toMs: nowMs + 1 });
  return sums.reduce((total, sum) => total + sum.requests, 0);
};

const FAILURES: [code: FailureCode, status: number][] = [
  ["unavailable", 503],
  ["engine_failed", 502],
  ["timeout", 504],
  ["overloaded", 429],
];

test.each(FAILURES)("a pool that says '%s' is answered with %i, when to come back, and no row", async (code, status) => {
  weir.model.next(fails(new Failure(code, "The pool has trouble.", { retryAfterMs: 1_500 })));

  const answer = await embed();

  expect(answer.status).toBe(status);
  expect(answer.headers.get("retry-after")).toBe("2");
  expect(await answer.json()).toMatchObject({ error: { message: "The pool has trouble.", code } });
  expect(await weir.newRows()).toEqual([]);
});

test("numbers that are none are the pool's fault, not something to bill", async () => {
  weir.model.next(async (request) => {
    const result = await runModel(request);
    if (result.body.task === "embed") result.body.vectors[3] = Number.NaN;
    return result;
  });

  expect((await embed()).status).toBe(502);
  expect(await weir.newRows()).toEqual([]);
});

test("our own mistake is a 500 that tells the request's id and nothing else", async () => {
  weir.model.next(async () => {
    throw new Error("secret detail");
  });

  const answer = await embed();

  expect(answer.status).toBe(500);
  const text = await answer.text();
  expect(text).not.toContain("secret");
  expect(text).toContain(String(answer.headers.get("weir-request-id")));
  expect(weir.logged).toMatchObject([{ level: "error", message: "a request failed by our fault" }]);
  expect(await weir.newRows()).toEqual([]);
});

test("a caller who leaves takes its work along, and pays nothing for what was not done", async () => {
  const controller = new AbortController();
  const arrived = new Promise<CallLimits>((resolve) => {
    weir.model.next((request, limits) => {
      resolve(limits);
      return hangs(request, limits);
    });
  });
  const asked = embed({ signal: controller.signal });
  const { signal, timeoutMs } = await arrived;

  controller.abort();

  await expect(asked).rejects.toThrow();
  await expect.poll(() => signal.aborted).toBe(true);
  expect(timeoutMs).toBe(60_000);
  expect(await weir.newRows()).toEqual([]);
});

test("a caller who leaves when the work is done has a row that says so", async () => {
  const controller = new AbortController();
  let leave = () => {};
  weir.model.next((request: InferenceRequest, { signal }: CallLimits) => {
    leave();
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(runModel(request)), { once: true }));
  });
  const arrived = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const asked = embed({ signal: controller.signal });
  await arrived;

  controller.abort();

  await expect(asked).rejects.toThrow();
  await expect.poll(() => weir.newRows()).toMatchObject([{ oc: "cancelled", ti: "3", st: "S" }]);
});

test.each(["closed", "throttled"] as const)("a ledger that is %s gives 503 and no result, and the row is not billed", async (state) => {
  await embed(); // keys, routes and a lease are at hand
  await weir.newRows();
  const [writes, billed] = [weir.store.callsOf("BatchWriteItem"), await usageOf("acme")];
  weir.store.turn(state, "BatchWriteItem");
  const asked = embed();
  await expect.poll(() => weir.store.callsOf("BatchWriteItem")).toBeGreaterThan(writes);

  weir.clock.advance(SETTLE_TIMEOUT_MS);

  const answer = await asked;
  expect(answer.status).toBe(503);
  expect(await answer.text()).not.toContain("embedding");
  weir.store.turn("open");
  // The row was handed over without an acknowledgement, so a marker voids it whether it is there or not.
  await expect.poll(() => weir.newRows()).toMatchObject([{ st: "X", sk: expect.stringMatching(/#V$/) }]);
  expect(await usageOf("acme")).toBe(billed);
});

test("a row whose acknowledgement is lost is written again and answered once", async () => {
  weir.store.once("lost", "BatchWriteItem");

  const answer = await embed();

  expect(answer.status).toBe(200);
  expect(await weir.newRows()).toHaveLength(1);
});

test("a store that is away when a key is first seen is 503, in the caller's dialect", async () => {
  const key = await weir.makeKey("acme", "infer");
  weir.store.turn("closed");

  const answer = await weir.post("/v2/models/minilm/infer", {}, { authorization: `Bearer ${key}` });

  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("1");
  expect(await answer.json()).toEqual({ error: "The store did not answer in time. Try again." });
});
