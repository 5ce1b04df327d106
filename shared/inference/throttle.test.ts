import { expect, test, vi } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { Failure } from "../base/failure.ts";
import type { GenerationCall, InferenceClient, InferenceRequest, InferenceResult } from "./contract.ts";
import { throttle } from "./throttle.ts";

const OVERLOADED = expect.objectContaining({ code: "overloaded" });
const LIMITS = { signal: new AbortController().signal, timeoutMs: 3_000 };
const requestOf = (tenant: string) => ({ tenant, manifestDigest: "digest", dtype: "fp32" }) as unknown as InferenceRequest;

/** A pool that takes what `takes` says, and counts what reaches it. */
function startPool(takes: (asked: number) => boolean) {
  const clock = stopClock();
  let asked = 0;
  const ask = () => {
    asked += 1;
    if (!takes(asked)) throw new Failure("overloaded", "full", { retryAfterMs: 250 });
  };
  const pool: InferenceClient = {
    run: async () => {
      ask();
      return { body: undefined, inputTokens: [] } as unknown as InferenceResult;
    },
    async *generate() {
      ask();
      yield { kind: "prompts" } as never;
    },
  };
  return { client: throttle(pool, clock), clock, askedCount: () => asked };
}

/** Calls that are answered, of `calls` that come at `everyMs`. */
async function answersOf({ client, clock }: ReturnType<typeof startPool>, calls: number, { tenant = "acme", everyMs = 3 } = {}) {
  let answered = 0;
  for (let call = 0; call < calls; call += 1) {
    clock.advance(everyMs);
    await client.run(requestOf(tenant), LIMITS).then(
      () => {
        answered += 1;
      },
      () => {},
    );
  }
  return answered;
}

test("of three times what a pool takes half as much again reaches it at most, and all that it takes is answered", async () => {
  const taken = (asked: number) => pool.clock.nowMs() - startedAtMs >= 9 * (takenCount + 1) && asked > 0 && Boolean(++takenCount);
  let takenCount = 0;
  const pool = startPool(taken);
  const startedAtMs = pool.clock.nowMs();

  const answered = await answersOf(pool, 3_000);
  expect(answered).toBeGreaterThan(950);
  expect(pool.askedCount()).toBeLessThan(1_600);
});

test("a pool of four, one of which is full, is asked as before", async () => {
  const pool = startPool((asked) => asked % 4 !== 0);

  expect(await answersOf(pool, 1_000)).toBe(750);
  expect(pool.askedCount()).toBe(1_000);
});

test("a few refusals throttle nobody, and many only whoever was refused", async () => {
  const pool = startPool(() => false);
  await answersOf(pool, 20);
  expect(pool.askedCount()).toBe(20);

  await answersOf(pool, 500);
  const askedCount = pool.askedCount();
  expect(askedCount).toBeLessThan(300);
  await answersOf(pool, 20, { tenant: "globex" });
  expect(pool.askedCount()).toBe(askedCount + 20);
});

test("a pool that is slow, and has refused nobody, is asked as before", async () => {
  const run = vi.fn(() => new Promise<never>(() => {}));
  const client = throttle<InferenceClient>({ run, generate: () => [] as never }, stopClock());

  for (let call = 0; call < 500; call += 1) void client.run(requestOf("acme"), LIMITS);
  expect(run).toHaveBeenCalledTimes(500);
});

test("whoever is refused hears what the pool said of when to come back", async () => {
  const pool = startPool(() => false);
  await answersOf(pool, 2_000, { everyMs: 0 });
  const askedCount = pool.askedCount();

  await expect(pool.client.run(requestOf("acme"), LIMITS)).rejects.toThrow(
    expect.objectContaining({ code: "overloaded", retryAfterMs: 250 }),
  );
  expect(pool.askedCount()).toBe(askedCount);
});

test("a pool that takes calls again is asked again within seconds", async () => {
  let isFull = true;
  const pool = startPool(() => !isFull);
  await answersOf(pool, 1_000);
  isFull = false;
  pool.clock.advance(4_000);
  await answersOf(pool, 1_000);

  expect(await answersOf(pool, 100)).toBe(100);
});

test("generations are throttled in the same way", async () => {
  const pool = startPool(() => false);
  await answersOf(pool, 2_000, { everyMs: 0 });
  const askedCount = pool.askedCount();
  const generate = async () => {
    for await (const _ of pool.client.generate(requestOf("acme") as unknown as GenerationCall, LIMITS));
  };

  await expect(generate()).rejects.toThrow(OVERLOADED);
  expect(pool.askedCount()).toBe(askedCount);
});
