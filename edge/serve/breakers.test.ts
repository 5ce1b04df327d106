import { beforeEach, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { Placement } from "../../shared/models/version.ts";
import { type Ask, type Behave, failing, type Ordered, startOrdered, TIMEOUT_MS } from "../../test/harness/ordered.ts";
import { FAILURES_IN_ROW_MAX, OPEN_MS_MIN } from "./breaker.ts";

let running: Ordered;
beforeEach(() => {
  running = startOrdered();
});

const repeat = async (times: number, behave: () => Behave, ask: Ask = {}) => {
  for (let time = 0; time < times; time += 1) await running.run(behave(), ask);
};
const away = () => failing(new Failure("unavailable", "Asleep.", { retryAfterMs: 100 }));

test("a pool that is away is left alone for all versions, then tried by one request, and used again", async () => {
  await repeat(FAILURES_IN_ROW_MAX, away);

  expect(await running.run(() => {})).toMatchObject({ names: ["cpu/q8@2"], degraded: "gpu open" });
  running.clock.advance(OPEN_MS_MIN);
  expect(await running.run(() => {})).toMatchObject({ names: ["gpu/fp32@2"], degraded: undefined });
  expect(running.deps.breakers.poolOf("gpu").state).toBe("closed");
});

test("with nobody else to ask, an open breaker is 'unavailable' with the time to come back and the reason", async () => {
  const placement: Placement = { pool: "gpu", dtype: "fp32" };
  await repeat(FAILURES_IN_ROW_MAX, away, { placement });

  const { failure, names } = await running.run(() => {}, { placement });

  expect(names).toEqual([]);
  expect(failure).toMatchObject({ code: "unavailable", retryAfterMs: OPEN_MS_MIN });
  expect(failure.message).toContain("since it failed there: Asleep.");
});

test("one version that fails does not take the pool from others, nor from its other file", async () => {
  await repeat(FAILURES_IN_ROW_MAX, () => failing(new Failure("engine_failed", "It crashed.")));

  expect((await running.run(() => {})).names).toEqual(["cpu/q8@2"]);
  expect((await running.run(() => {}, { placement: { pool: "gpu", dtype: "q8" } })).names).toEqual(["gpu/q8@2"]);
  expect(running.deps.breakers.poolOf("gpu").state).toBe("closed");
  expect(running.deps.breakers.failingOn("gpu")).toMatchObject([{ version: "m@2 fp32", state: "open", reason: "It crashed." }]);
  expect(running.deps.breakers.failingOn("cpu")).toEqual([]);
});

test("a full pool is asked again, however often it was full", async () => {
  await repeat(3 * FAILURES_IN_ROW_MAX, () => failing(new Failure("overloaded", "Full.")));

  expect((await running.run(() => {})).names).toEqual(["gpu/fp32@2"]);
});

test("impatient callers do not take a pool from the others, slow pools are left alone", async () => {
  const late = () => failing(new Failure("timeout", "Late."));
  await repeat(3 * FAILURES_IN_ROW_MAX, late, { call: { timeoutMs: 1_000 } });
  expect(running.deps.breakers.poolOf("gpu").state).toBe("closed");

  await repeat(FAILURES_IN_ROW_MAX, late);

  expect(running.deps.breakers.poolOf("gpu").state).toBe("open");
});

test("no time is left for a fallback whose breaker is open", async () => {
  const placement: Placement = { pool: "gpu", dtype: "fp32", fallbacks: [{ pool: "cpu", dtype: "q8" }] };
  await repeat(FAILURES_IN_ROW_MAX, () => failing(new Failure("unavailable", "Away.")), { placement: { pool: "cpu", dtype: "fp32" } });

  expect((await running.run(() => {}, { placement })).asked[0]?.timeoutMs).toBe(TIMEOUT_MS);
});

const ASIDE = new Failure("engine_failed", "The model is set aside as unhealthy: it ran out of memory", { retryAfterMs: 60_000 });
const FALLBACK: Placement = { pool: "gpu", dtype: "fp32", fallbacks: [{ pool: "cpu", dtype: "q8" }] };

test("a version that is set aside everywhere is not ready, with the reason, until its time is over", async () => {
  await running.run(failing(ASIDE, ASIDE), { placement: FALLBACK });

  expect(running.deps.health.of("m", 2)).toEqual({ isReady: false, reason: ASIDE.message });
  expect(running.deps.health.of("m", 1)).toEqual({ isReady: true });
  running.clock.advance(60_000);
  expect(running.deps.health.of("m", 2)).toEqual({ isReady: true });
});

test("a version that a fallback answers is ready", async () => {
  await running.run(failing(ASIDE, ASIDE), { placement: FALLBACK });
  await running.run(failing(ASIDE), { placement: FALLBACK });

  expect(running.deps.health.of("m", 2)).toEqual({ isReady: true });
});

test("a failure without a time is no setting aside", async () => {
  await running.run(failing(new Failure("engine_failed", "It broke off.")), { placement: { pool: "gpu", dtype: "fp32" } });

  expect(running.deps.health.of("m", 2)).toEqual({ isReady: true });
});
