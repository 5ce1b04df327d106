import { afterAll, beforeAll, expect, test } from "vitest";
import { type KeyMint, peppersOf } from "../../shared/keys/key.ts";
import { REVOCATION_BOUND_MS, REVOCATION_UNMEASURED } from "../../shared/keys/revocation.ts";
import { createRevocationStore } from "../../shared/keys/revocation-store.dynamo.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { createCanaryRound } from "./canary-round.ts";
import { CANARY_ID, measureRevocation, type Probe } from "./measure-revocation.ts";
import { createProbe } from "./probe.ts";

const RUNNING = new AbortController().signal;

let weir: Serving;
let mint: KeyMint;
beforeAll(async () => {
  weir = await startServing();
  await weir.makeKey("operators", "operate");
  mint = { place: { env: "local", cell: "c1" }, ids: weir.deps.ids, peppers: peppersOf({ 1: "a pepper for tests only" }) };
});
afterAll(() => weir.close());

const depsWith = (probe: Probe) => ({
  ...{ keys: weir.deps.control.keys, mint, clock: weir.clock, probe },
  // Lets the gateway's own reads come back while the stopped clock moves on.
  wait: async (ms: number) => {
    weir.clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  },
});

test("through a real gateway a revoked key is refused within the promise, again and again, and its secret is never the same", async () => {
  const seen = new Set<string>();
  const real = createProbe(weir.url);
  const deps = depsWith((key) => {
    seen.add(key);
    return real(key);
  });

  const measured = [await measureRevocation(deps, RUNNING), await measureRevocation(deps, RUNNING)];

  for (const { acceptedForMs = Number.POSITIVE_INFINITY, problem } of measured) {
    expect(problem).toBeUndefined();
    expect(acceptedForMs).toBeGreaterThan(1_000); // what is cached serves for a while
    expect(acceptedForMs).toBeLessThan(REVOCATION_BOUND_MS);
  }
  expect(seen.size).toBe(2);
  expect((await weir.deps.control.keys.current(CANARY_ID))?.body).toMatchObject({ isRevoked: true, scopes: ["infer"] });
});

test("one of several gateways that still takes the key is waited for", async () => {
  const answers = ["accepted", ...Array(7).fill("refused"), "accepted", "unclear", ...Array(20).fill("refused")] as const;
  let turn = 0;
  const start = weir.clock.nowMs();

  const measured = await measureRevocation(
    depsWith(async () => answers[turn++] ?? "refused"),
    RUNNING,
  );

  expect(measured.problem).toBeUndefined();
  expect(measured.acceptedForMs).toBe(7 * 250);
  expect(weir.clock.nowMs() - start).toBeLessThan(REVOCATION_BOUND_MS);
});

test("rounds measure once an hour, and what they measured can be scraped by those who may", async () => {
  const measurements = createRevocationStore(weir.dynamo);
  const round = createCanaryRound({ ...depsWith(createProbe(weir.url)), measurements, log: () => undefined });

  await round({ nowMs: weir.clock.nowMs(), signal: RUNNING });
  const first = await measurements.read();
  await round({ nowMs: weir.clock.nowMs() + 60_000, signal: RUNNING });

  expect(await measurements.read()).toEqual(first);
  const scraped = await weir.get("/metrics", { authorization: `Bearer ${await weir.makeKey("operators", "operate")}` });
  expect(scraped.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await scraped.text();
  expect(text).toMatch(new RegExp(`^weir_revocation_seconds ${(first?.acceptedForMs ?? -1) / 1000}$`, "m"));
  expect(text).toMatch(/^weir_revocation_bound_seconds 30$/m);
  expect((await weir.get("/metrics")).status).toBe(403);
});

// Last, since the gateway's clock is far off its store's then.
test("a key that is never taken, or never refused, is a problem that is said, and the key is revoked all the same", async () => {
  const never = await measureRevocation(
    depsWith(async () => "unclear"),
    RUNNING,
  );
  const always = await measureRevocation(
    depsWith(async () => "accepted"),
    RUNNING,
  );

  expect(never).toEqual({ at: expect.any(String), problem: expect.stringContaining("was not taken") });
  expect(always).toMatchObject({ acceptedForMs: expect.any(Number), problem: expect.stringContaining("not refused") });
  expect(always.acceptedForMs).toBeGreaterThan(REVOCATION_BOUND_MS);
  expect((await weir.deps.control.keys.current(CANARY_ID))?.body.isRevoked).toBe(true);
});

test("a round that could not measure logs the line that the alarm counts, and one that did logs nothing of it", async () => {
  const logged: string[] = [];
  const measurements = { read: async () => undefined, write: async () => undefined };
  const roundOf = (answer: "unclear" | "refused") => {
    let isFirst = true;
    const probe = async () => {
      const told = isFirst && answer === "refused" ? "accepted" : answer;
      isFirst = false;
      return told;
    };
    return createCanaryRound({ ...depsWith(probe), measurements, log: (_, message) => logged.push(message) });
  };

  await roundOf("refused")({ nowMs: weir.clock.nowMs(), signal: RUNNING });
  expect(logged).toEqual([]);
  await roundOf("unclear")({ nowMs: weir.clock.nowMs(), signal: RUNNING });

  expect(logged).toEqual([REVOCATION_UNMEASURED]);
});
