import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { Failure, type FailureCode } from "../../shared/base/failure.ts";
import type { Placement, VersionFacts } from "../../shared/models/version.ts";
import { type Behave, FACTS, failing, type Ordered, startOrdered, THREE, TIMEOUT_MS, versionOf } from "../../test/harness/ordered.ts";
import { type Candidate, startInOrder } from "./run.ts";

let running: Ordered;
beforeEach(() => {
  running = startOrdered();
});

const WORDS = [
  ["unavailable", "unavailable"],
  ["overloaded", "overloaded"],
  ["engine_failed", "failed"],
  ["timeout", "timeout"],
] as const;
const NOT_HANDED_OVER: FailureCode[] = ["invalid_request", "cancelled", "too_large", "not_found", "unsupported", "rate_limited"];
const ALL = ["gpu/fp32@2", "cpu/q8@2", "cpu/fp32@1"];

test("a version's own place answers, and nobody says that anything is degraded", async () => {
  expect(await running.run(() => {})).toMatchObject({ value: "gpu/fp32@2", degraded: undefined, names: ["gpu/fp32@2"] });
});

for (const [code, word] of WORDS) {
  test.each([1, 2])(`${code} of the first %i is handed over once each, and the word is '${word}'`, async (count) => {
    const ran = await running.run(failing(...Array.from({ length: count }, () => new Failure(code, "No."))));

    expect(ran).toMatchObject({ value: ALL[count], names: ALL.slice(0, count + 1) });
    expect(ran.degraded).toBe(
      ["gpu", "cpu"]
        .slice(0, count)
        .map((pool) => `${pool} ${word}`)
        .join(", "),
    );
  });

  test(`when all say ${code}, the failure is the first one's, with the earliest time to come back`, async () => {
    const failures = [9_000, 2_000, undefined].map(
      (retryAfterMs, index) => new Failure(code, `No ${index}.`, retryAfterMs === undefined ? {} : { retryAfterMs }),
    );

    const { failure, names } = await running.run(failing(...failures));

    expect(names).toEqual(ALL);
    expect(failure).toMatchObject({ code, retryAfterMs: 2_000 });
    expect(failure.message).toBe(`No 0. Its fallbacks cannot answer either: cpu ${word}, cpu ${word}.`);
  });
}

test.each(NOT_HANDED_OVER)("%s is true wherever the request goes", async (code) => {
  const failure = new Failure(code, "No.");

  expect(await running.run(failing(failure))).toMatchObject({ failure, names: ["gpu/fp32@2"] });
});

test("our own mistake is not hidden by a fallback", async () => {
  const mistake = new Error("an invariant is broken");

  expect(await running.run(failing(mistake))).toMatchObject({ failure: mistake, names: ["gpu/fp32@2"] });
});

test("a version without fallbacks fails with the very failure of its pool", async () => {
  const failure = new Failure("unavailable", "Asleep.", { retryAfterMs: 500 });

  const ran = await running.run(failing(failure), { placement: { pool: "gpu", dtype: "fp32" } });

  expect(ran.failure).toBe(failure);
});

test("a pool that this gateway does not have is unavailable", async () => {
  const ran = await running.run(() => {}, { placement: { ...THREE, pool: "moon" } });

  expect(ran).toMatchObject({ value: "cpu/q8@2", degraded: "moon unavailable" });
});

test("a caller who leaves is not served elsewhere", async () => {
  const leaving = new AbortController();
  const behave: Behave = () => {
    leaving.abort();
    throw new Failure("unavailable", "Gone.");
  };

  const { failure, names } = await running.run(behave, { call: { signal: leaving.signal } });

  expect(failure).toMatchObject({ code: "cancelled" });
  expect(names).toEqual(["gpu/fp32@2"]);
});

const away = failing.bind(undefined, new Failure("unavailable", "Away."));

test("a file that the version does not have, or that failed its golden run, is passed over and logged", async () => {
  const facts: VersionFacts = { ...FACTS, drift: [{ dtype: "q8", deltaMax: 0, cosineMin: 0, error: "it gives no numbers" }] };

  expect((await running.run(away(), { facts })).names).toEqual(["gpu/fp32@2", "cpu/fp32@1"]);
  expect((await running.run(away(), { facts: { ...FACTS, dtypes: ["fp32"] } })).names).toEqual(["gpu/fp32@2", "cpu/fp32@1"]);
  expect(running.logged.filter((message) => message === "a fallback cannot be used")).toHaveLength(2);
});

test.each<[string, Partial<VersionFacts>]>([
  ["vectors of another size", { dimensions: 4 }],
  ["another head", { head: "classify", labels: ["a"] }],
])("a version with %s is passed over", async (_, facts) => {
  running.versions.splice(0, 1, versionOf(1, { pool: "cpu", dtype: "fp32" }, { ...FACTS, ...facts }));

  const { failure, names } = await running.run(away(), { placement: { pool: "gpu", dtype: "fp32", fallbacks: [{ version: 1 }] } });

  expect(names).toEqual(["gpu/fp32@2"]);
  expect(failure).toMatchObject({ code: "unavailable", message: "Away." });
});

test("a version that is gone is passed over", async () => {
  running.versions.splice(0);

  expect((await running.run(away(), { placement: { pool: "gpu", dtype: "fp32", fallbacks: [{ version: 1 }] } })).failure).toMatchObject({
    code: "unavailable",
  });
});

test("a version that stands in brings no fallbacks of its own", async () => {
  running.versions.splice(0, 1, versionOf(1, { pool: "cpu", dtype: "fp32", fallbacks: [{ version: 2 }, { pool: "edge", dtype: "q8" }] }));
  const placement: Placement = { pool: "gpu", dtype: "fp32", fallbacks: [{ version: 1 }] };

  const { names } = await running.run(failing(...Array.from({ length: 9 }, () => new Failure("unavailable", "Away."))), { placement });

  expect(names).toEqual(["gpu/fp32@2", "cpu/fp32@1"]);
});

test("an older version that reads less is passed over, since the caller asked for one that reads it", async () => {
  const placement: Placement = { pool: "gpu", dtype: "fp32", fallbacks: [{ version: 1 }, { pool: "edge", dtype: "q8" }] };

  const ran = await running.run(failing(new Failure("unavailable", "Away."), new Failure("invalid_request", "Too long.")), { placement });

  expect(ran).toMatchObject({ value: "edge/q8@2", degraded: "gpu unavailable" });
});

const slow = (takesMs: number): Behave => {
  return (_, { timeoutMs }) => {
    running.clock.advance(Math.min(takesMs, timeoutMs));
    if (takesMs >= timeoutMs) throw new Failure("timeout", "Too slow.");
  };
};

test("each but the last gets half of what is left, the last one all of it", async () => {
  const { asked, failure } = await running.run(slow(TIMEOUT_MS));

  expect(asked.map(({ timeoutMs }) => timeoutMs)).toEqual([30_000, 15_000, 15_000]);
  expect(failure).toMatchObject({ code: "timeout" });
});

test("a version without fallbacks gets all of it", async () => {
  const { asked } = await running.run(() => {}, { placement: { pool: "gpu", dtype: "fp32" } });

  expect(asked).toEqual([{ name: "gpu/fp32@2", timeoutMs: TIMEOUT_MS }]);
});

test("no time is left for fallbacks that are out of reach", async () => {
  const placement: Placement = {
    pool: "gpu",
    dtype: "fp32",
    fallbacks: [
      { pool: "moon", dtype: "q8" },
      { pool: "cpu", dtype: "q4" },
    ],
  };

  expect((await running.run(() => {}, { placement })).asked[0]?.timeoutMs).toBe(TIMEOUT_MS);
});

test("a caller's own deadline is shared like any other", async () => {
  const { asked } = await running.run(slow(TIMEOUT_MS), { call: { timeoutMs: 2_000 } });

  expect(asked.map(({ timeoutMs }) => timeoutMs)).toEqual([1_000, 500, 500]);
});

test("with next to no time left, nobody else is asked", async () => {
  const { names, failure } = await running.run(slow(TIMEOUT_MS), { call: { timeoutMs: 60 } });

  expect(names).toEqual(["gpu/fp32@2"]);
  expect(failure).toMatchObject({ code: "timeout", message: "Too slow." });
});

test("a request whose time is over is refused before anybody is asked", async () => {
  const { names, failure } = await running.run(() => {}, { call: { acceptedAtMs: running.clock.nowMs() - TIMEOUT_MS } });

  expect(names).toEqual([]);
  expect(failure).toMatchObject({ code: "timeout" });
});

test("who has to decide sooner has the shares of that time, and the last has all that is left", async () => {
  const { asked } = await running.run(slow(TIMEOUT_MS), { decideWithinMs: 16_000 });

  expect(asked.map(({ timeoutMs }) => timeoutMs)).toEqual([8_000, 4_000, 48_000]);
});

test("once it is decided who serves, nothing is handed over", async () => {
  let fail = (_: Error) => {};
  const target = { version: versionOf(2, THREE), arm: "stable" };
  const asked: string[] = [];
  const attempt = ({ pool }: Candidate) => {
    asked.push(pool.name);
    return new Promise<never>((_, reject) => {
      fail = reject;
    });
  };
  const order = startInOrder(running.deps, running.callFor(), { target, attempt });
  await expect.poll(() => asked).toEqual(["gpu"]);

  const chosen = order.decide();
  fail(new Failure("unavailable", "Away."));

  await expect(order.ran).rejects.toMatchObject({ code: "unavailable" });
  expect(chosen).toMatchObject({ candidate: { dtype: "fp32" }, degraded: undefined });
  expect(asked).toEqual(["gpu"]);
});

const outcome = fc.record({
  code: fc.constantFrom(undefined, "unavailable", "overloaded", "engine_failed", "timeout", "invalid_request", "cancelled"),
  takesMs: fc.integer({ min: 0, max: 70_000 }),
});

test("whatever candidates do: each is asked once and in order, none after an answer, and never for longer than the caller waits", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(outcome, { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 1_000, max: TIMEOUT_MS }),
      async (outcomes, timeoutMs) => {
        running = startOrdered();
        const startedAtMs = running.clock.nowMs();
        const left = [...outcomes];
        const codes: (string | undefined)[] = [];
        const behave: Behave = (_, limits) => {
          const { code, takesMs } = left.shift() ?? expect.unreachable();
          running.clock.advance(Math.min(takesMs, limits.timeoutMs));
          const said = takesMs >= limits.timeoutMs ? "timeout" : code;
          codes.push(said);
          if (said !== undefined) throw new Failure(said, "No.");
        };

        const { names, value, failure } = await running.run(behave, { call: { timeoutMs } });

        const last = codes.at(-1);
        expect(names).toEqual(ALL.slice(0, names.length));
        expect(running.clock.nowMs() - startedAtMs).toBeLessThanOrEqual(timeoutMs);
        expect(codes.slice(0, -1).every((code) => code !== undefined && WORDS.some(([each]) => each === code))).toBe(true);
        expect(value).toBe(last === undefined ? names.at(-1) : undefined);
        if (last === "cancelled") expect(failure).toMatchObject({ code: "cancelled" });
        else if (last !== undefined && last !== "invalid_request") expect(failure).toMatchObject({ code: codes[0] });
      },
    ),
  );
});
