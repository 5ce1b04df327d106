import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import type { Principal } from "../../shared/keys/principal.ts";
import { policiesOf } from "../../shared/limits/policy.ts";
import type { Placement } from "../../shared/models/version.ts";
import { RATE_DEFAULT } from "../../shared/tenants/tenant.ts";
import { failsAfter, hangsAfter, runGeneration } from "../../test/harness/generation-double.ts";
import { GENERATE, type Serving, startServing } from "../../test/harness/serving.ts";
import {
  HEARTBEAT_MS,
  READER_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
  STREAM_HELD_BYTES,
  STREAM_TIMEOUT_MS,
  TENANT_HELD_BYTES_MAX,
} from "../limits.ts";
import { type StreamPlan, streamGeneration } from "./generate.ts";
import { TIME_SHARE } from "./run.ts";
import { type Call, chooseTarget } from "./serve.ts";

/** What only a stopped timer shows: these streams are asked for as a dialect would, without a socket. */
let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(() => weir.newRows());
afterEach(() => {
  vi.useRealTimers();
});

/** Hundreds of connections close on a machine that may be busy. */
const CLOSING_TIMEOUT_MS = 10_000;

const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const PRINCIPAL: Principal = {
  tenant: "acme",
  keyId: "k",
  scopes: new Set(["infer"]),
  policies: policiesOf({ tenant: { id: "acme", rate: RATE_DEFAULT }, key: { id: "k" } }),
};

/** Asks with stopped timers, and waits until the row is reserved and a pool is asked. */
async function startStream(reference = "smol"): Promise<{ asked: ReturnType<typeof streamGeneration> }> {
  const { deps, clock } = weir;
  const acceptedAtMs = clock.nowMs();
  const call: Call = {
    requestId: deps.ids.requestId(acceptedAtMs),
    acceptedAtMs,
    principal: PRINCIPAL,
    ...{ dialect: "openai", reference, unit: "u", fingerprint: "f", bodyBytes: 0, tell: () => {} },
    signal: new AbortController().signal,
    timeoutMs: REQUEST_TIMEOUT_MS,
    patienceMs: Number.POSITIVE_INFINITY,
    mayBeSilentFor: () => {},
  };
  const target = await chooseTarget(deps, call);
  const generations = () => weir.model.generations.length + weir.gpu.generations.length;
  const before = generations();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const asked = streamGeneration(deps, call, { ...PLAN, target });
  await expect.poll(generations).toBeGreaterThan(before);
  return { asked };
}

const PLAN: Omit<StreamPlan, "target"> = {
  ask: () => ({ task: "generate", prompts: [{ kind: "text", text: "x" }], n: 1, sampling: {}, stop: [] }),
  renderer: () => ({
    begun: () => "begun ",
    text: ({ text }) => text,
    end: ({ finishes }) => finishes.map(({ reason }) => reason).join(),
    failed: (failure) => `failed: ${failure?.code}`,
  }),
};

const textOf = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

test("a stream whose first event takes long begins with a heartbeat, and what fails then is told in-band", async () => {
  let refuse = () => {};
  weir.model.nextGeneration(async function* late(call, limits) {
    await new Promise<void>((resolve) => {
      refuse = resolve;
    });
    yield* failsAfter(new Failure("overloaded", "Too late."))(call, limits);
  });
  const { asked } = await startStream();
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  const { body, tier } = await asked;
  const reader = body.getReader();
  const first = reader.read();

  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);

  expect(tier).toBe("cpu");
  expect(textOf((await first).value)).toBe(": ping\n\n");
  refuse();
  expect(textOf((await reader.read()).value)).toBe("failed: overloaded");
  expect((await reader.read()).done).toBe(true);
  expect(await weir.newRows()).toEqual([]);
});

test("a stream that does not begin in a request's time is given up", async () => {
  weir.model.nextGeneration(hangsAfter());
  const { asked } = await startStream();
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  const text = new Response((await asked).body).text();

  await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS);

  expect(await text).toMatch(/(: ping\n\n)+failed: timeout$/);
  expect(await weir.newRows()).toEqual([]);
});

const placement: Placement = { pool: "gpu", dtype: "fp32", fallbacks: [{ pool: "cpu", dtype: "fp32" }] };

/** Time goes by, on the clock and for timers. */
async function pass(ms: number) {
  weir.clock.advance(ms);
  await vi.advanceTimersByTimeAsync(ms);
}

test("a pool that does not begin in its share is left for a fallback before the head has to leave, and the head names the fallback", async () => {
  await weir.addVersion("slow", { facts: GENERATE, placement });
  let begin = () => {};
  weir.gpu.nextGeneration(hangsAfter());
  weir.model.nextGeneration(async function* late(call, limits) {
    await new Promise<void>((resolve) => {
      begin = resolve;
    });
    yield* runGeneration(call, limits);
  });
  const { asked } = await startStream("slow");
  await pass(HEARTBEAT_MS * TIME_SHARE);
  await pass(HEARTBEAT_MS * TIME_SHARE);
  const { body, ...served } = await asked;

  begin();

  vi.useRealTimers();
  expect(served).toMatchObject({ model: "slow", tier: "cpu", degraded: "gpu timeout" });
  expect(await new Response(body).text()).toMatch(/^begun .*stop$/);
  expect(await weir.newRows()).toMatchObject([{ mo: "slow", tr: "cpu", oc: "ok" }]);
});

test("a stream that lasts too long says so at its end, and is billed as far as it came", async () => {
  weir.model.nextGeneration(hangsAfter(begun, { kind: "text", choice: 0, text: "a", tokens: 5 }));
  const { asked } = await startStream();
  await vi.advanceTimersByTimeAsync(0);
  const text = new Response((await asked).body).text();

  await vi.advanceTimersByTimeAsync(STREAM_TIMEOUT_MS);

  vi.useRealTimers();
  expect(await text).toMatch(/^begun a(: ping\n\n)+failed: timeout$/);
  expect(await weir.newRows()).toMatchObject([{ oc: "cancelled", ti: "4", to: "5" }]);
});

test("a tenant's open streams are bounded, and leave room again when they close", async () => {
  await weir.makeTenant("streamer", { requestsPerSecond: 10_000, burst: 10_000 });
  const authorization = `Bearer ${await weir.makeKey("streamer", "infer")}`;
  const streamsMax = Math.floor(TENANT_HELD_BYTES_MAX / STREAM_HELD_BYTES);
  const controller = new AbortController();
  const body = JSON.stringify({ model: "smol", prompt: "x", stream: true });
  const open = (signal?: AbortSignal) =>
    fetch(`${weir.url}/v1/completions`, { method: "POST", headers: { authorization }, body, ...(signal === undefined ? {} : { signal }) });

  const answers: Response[] = []; // kept: fetch cancels the body of an answer that nobody holds any more
  for (let opened = 0; opened < streamsMax; opened += 1) {
    weir.model.nextGeneration(hangsAfter(begun));
    answers.push(await open(controller.signal));
  }
  const refused = await open();
  const other = await weir.post("/v1/completions", { model: "smol", prompt: "x" });
  controller.abort();

  expect(answers.filter(({ status }) => status === 200)).toHaveLength(streamsMax);
  expect([refused.status, refused.headers.get("retry-after"), other.status]).toEqual([429, "1", 200]);
  const lastLine = async () => (await (await open()).text()).trim().split("\n").at(-1); // read to its end, so that its row is of this test
  await expect.poll(lastLine, { timeout: CLOSING_TIMEOUT_MS }).toBe("data: [DONE]");
});

test("a caller who stops reading is cut off for good: the engine ends, the row is of what was taken, and the connection is closed", async () => {
  const EVENTS_MAX = 2_000;
  let [given, hasEnded] = [0, false];
  weir.model.nextGeneration(async function* floods() {
    try {
      yield begun;
      for (; given < EVENTS_MAX; given += 1) yield { kind: "text", choice: 0, text: "x".repeat(64 * 1024), tokens: 1 };
    } finally {
      hasEnded = true;
    }
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const asked = weir.post("/v1/completions", { model: "smol", prompt: "x", stream: true });
  await expect.poll(() => vi.advanceTimersByTimeAsync(1).then(() => given)).toBeGreaterThan(0); // the server, too, waits a moment
  const answer = await asked;
  let before = -1;
  await expect
    .poll(() => {
      const isStill = given === before;
      before = given;
      return isStill;
    })
    .toBe(true);

  await vi.advanceTimersByTimeAsync(READER_TIMEOUT_MS);

  vi.useRealTimers();
  await expect.poll(() => hasEnded).toBe(true);
  await expect(answer.text()).rejects.toThrow();
  await expect.poll(() => weir.newRows()).toMatchObject([{ oc: "cancelled", to: expect.stringMatching(/^[1-9]/) }]);
});
