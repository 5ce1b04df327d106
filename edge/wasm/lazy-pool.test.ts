import { expect, test } from "vitest";
import type { CallLimits, InferenceRequest } from "../../shared/inference/contract.ts";
import { createModelDouble } from "../../test/harness/model-double.ts";
import { createLazyPool } from "./lazy-pool.ts";

const LIMITS: CallLimits = { signal: new AbortController().signal, timeoutMs: 1_000 };
const REQUEST: InferenceRequest = {
  requestId: "r1",
  tenant: "acme",
  model: "m",
  version: 1,
  manifestDigest: "0".repeat(64),
  dtype: "q8",
  body: { task: "embed", inputs: [{ kind: "text", text: "a river" }], overlong: "cut" },
};

function startLazy(fails: readonly Error[] = []) {
  const seen = { opened: 0, closed: 0 };
  const pool = createLazyPool(async () => {
    const failure = fails[seen.opened];
    seen.opened += 1;
    if (failure !== undefined) throw failure;
    const close = async () => {
      seen.closed += 1;
    };
    return { ...createModelDouble(), close };
  });
  return { pool, seen };
}

test("a pool is opened by its first call, once for all that wait for it", async () => {
  const { pool, seen } = startLazy();
  expect(seen.opened).toBe(0);

  await Promise.all([pool.run(REQUEST, LIMITS), pool.run(REQUEST, LIMITS)]);

  expect(seen.opened).toBe(1);
});

test("what could not be opened is tried again by the next call", async () => {
  const { pool, seen } = startLazy([new Error("the folder cannot be written")]);

  await expect(pool.run(REQUEST, LIMITS)).rejects.toThrow("cannot be written");
  await pool.run(REQUEST, LIMITS);

  expect(seen.opened).toBe(2);
});

test("closing opens nothing, and closes what was opened", async () => {
  const idle = startLazy();
  const used = startLazy();
  await used.pool.run(REQUEST, LIMITS);

  await Promise.all([idle.pool.close(), used.pool.close()]);

  expect(idle.seen).toEqual({ opened: 0, closed: 0 });
  expect(used.seen).toEqual({ opened: 1, closed: 1 });
});
