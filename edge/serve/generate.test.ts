import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure, type FailureCode } from "../../shared/base/failure.ts";
import type { CallLimits } from "../../shared/inference/contract.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { failsAfter, type Generate, gives, hangsAfter, paced } from "../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { readEvents } from "../../test/harness/stream-reading.ts";
import { REQUEST_TIMEOUT_MS, SETTLE_TIMEOUT_MS } from "../limits.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.store.turn("open");
  weir.model.generations.length = weir.logged.length = 0;
  await weir.newRows();
});

const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const said = (text: string, tokens = 1): GenerateEvent => ({ kind: "text", choice: 0, text, tokens });
const finished: GenerateEvent = { kind: "finished", choice: 0, finish: { reason: "stop" } };
const done: GenerateEvent = { kind: "done", outputTokens: [2], queueMs: 0, runMs: 9.5 };

const ask = (more: object, options: RequestInit = {}) =>
  fetch(`${weir.url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${weir.key}` },
    body: JSON.stringify({ model: "smol", prompt: "a weir stands", ...more }),
    ...options,
  });
const stream = (options: RequestInit = {}) => ask({ stream: true, max_tokens: 200 }, options);

/** Leaves once it has read `until`, and says what the generation was told. */
async function leaveAfter(until: string, generate: Generate): Promise<CallLimits> {
  const controller = new AbortController();
  const limits = new Promise<CallLimits>((resolve) => {
    weir.model.nextGeneration((call, given) => {
      resolve(given);
      return generate(call, given);
    });
  });
  const answer = await stream({ signal: controller.signal });
  let seen = "";
  for await (const chunk of answer.body ?? []) {
    seen += Buffer.from(chunk).toString();
    if (seen.includes(until)) break;
  }
  controller.abort();
  return limits;
}

const ROW = { mo: "smol", v: "1", sv: "1", ab: "stable", tr: "cpu", di: "openai", ta: "generate", st: "S" };

test("a whole answer leaves one row with its prompts, tokens and compute", async () => {
  const answer = await ask({ prompt: ["a weir stands", "the river runs on"], n: 2 });

  expect(answer.status).toBe(200);
  expect(answer.headers.get("weir-model")).toBe("smol@1");
  expect(await weir.newRows()).toMatchObject([{ ...ROW, oc: "ok", q: "2", ti: "7", to: "24", ms: "8" }]);
  expect(weir.model.generations).toMatchObject([{ tenant: "acme", model: "smol", version: 1, dtype: "fp32", body: { n: 2 } }]);
});

test("a stream leaves the same row, and says who served", async () => {
  const answer = await stream();
  const read = readEvents(await answer.text());

  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect([answer.headers.get("weir-model"), answer.headers.get("weir-tier")]).toEqual(["smol@1", "cpu"]);
  expect(read).toMatchObject({ isDone: true, error: undefined });
  expect(await weir.newRows()).toMatchObject([{ ...ROW, oc: "ok", q: "1", ti: "3", to: "6", ms: "8" }]);
});

test("a whole answer without its row is not answered", async () => {
  const writes = weir.store.callsOf("BatchWriteItem");
  weir.store.turn("closed", "BatchWriteItem");
  const asked = ask({});
  await expect.poll(() => weir.store.callsOf("BatchWriteItem")).toBeGreaterThan(writes);

  weir.clock.advance(SETTLE_TIMEOUT_MS);

  expect((await asked).status).toBe(503);
  weir.store.turn("open");
  await expect.poll(() => weir.newRows()).toMatchObject([{ st: "X" }]);
});

const FAILURES: [code: FailureCode, status: number][] = [
  ["invalid_request", 400],
  ["overloaded", 429],
  ["engine_failed", 502],
  ["unavailable", 503],
  ["timeout", 504],
];

test.each(FAILURES)(
  "what fails with '%s' before the first event is a plain %i, streamed or not, and costs nothing",
  async (code, status) => {
    const failure = new Failure(code, "The pool has trouble.", { retryAfterMs: 1_500 });
    weir.model.nextGeneration(failsAfter(failure));
    weir.model.nextGeneration(failsAfter(failure));

    for (const answer of [await stream(), await ask({})]) {
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toContain("application/json");
      expect(answer.headers.get("retry-after")).toBe("2");
      expect(await answer.json()).toMatchObject({ error: { message: "The pool has trouble.", code } });
    }
    expect(await weir.newRows()).toEqual([]);
  },
);

test("what fails in the middle says so in-band, never ends cleanly, is logged and billed as far as it came; unary it is a plain failure and costs nothing", async () => {
  const failure = new Failure("engine_failed", "The worker crashed.", { cause: new Error("signal 11") });
  weir.model.nextGeneration(failsAfter(failure, begun, said("a")));
  weir.model.nextGeneration(failsAfter(failure, begun, said("a")));

  const answer = await stream();

  expect(answer.status).toBe(200);
  const error = { message: "The worker crashed.", type: "server_error", param: null, code: "engine_failed" };
  expect(readEvents(await answer.text())).toEqual({ text: "a", error, isDone: false });
  expect(weir.logged).toMatchObject([{ level: "warn", message: "The worker crashed." }]);
  expect((await ask({})).status).toBe(502);
  expect(await weir.newRows()).toMatchObject([{ ...ROW, oc: "cut", ti: "4", to: "1" }]);
});

test.each<[words: string, events: GenerateEvent[]]>([
  ["ends without an end", [begun, said("a")]],
  ["is done before its choice is", [begun, said("a"), done]],
  ["speaks after its end", [begun, said("a"), finished, said("b"), done]],
])("an engine that %s is not taken for whole", async (_, events) => {
  weir.model.nextGeneration(gives(...events));

  const { isDone, error } = readEvents(await (await stream()).text());

  expect([isDone, error?.code]).toEqual([false, "engine_failed"]);
  expect(await weir.newRows()).toMatchObject([{ oc: "cut", to: "1" }]);
});

test("an engine that ends before it begins, or speaks before it, is a 502", async () => {
  weir.model.nextGeneration(gives());
  let hasEnded = false;
  weir.model.nextGeneration(async function* early() {
    try {
      yield* [said("a"), begun];
    } finally {
      hasEnded = true;
    }
  });

  expect([(await stream()).status, (await stream()).status, hasEnded]).toEqual([502, 502, true]);
  expect(await weir.newRows()).toEqual([]);
});

test("our own mistake in the middle tells the request's id and nothing else", async () => {
  weir.model.nextGeneration(failsAfter(new Error("secret detail"), begun, said("a")));

  const answer = await stream();
  const text = await answer.text();

  expect(text).not.toContain("secret");
  expect(readEvents(text).error).toMatchObject({
    code: "internal",
    message: expect.stringContaining(String(answer.headers.get("weir-request-id"))),
  });
  expect(weir.logged).toMatchObject([{ level: "error", message: "a stream failed by our fault" }]);
});

test("a caller who leaves in the middle is billed as far as the stream came, and the generation ends", async () => {
  const { signal } = await leaveAfter('"b', hangsAfter(begun, said("a"), said("b c", 2)));

  await expect.poll(() => signal.aborted).toBe(true);
  await expect.poll(() => weir.newRows()).toMatchObject([{ ...ROW, oc: "cancelled", q: "1", ti: "4", to: "3" }]);
});

test("a caller who leaves before the first text pays nothing", async () => {
  const controller = new AbortController();
  const arrived = new Promise<CallLimits>((resolve) => {
    weir.model.nextGeneration((call, limits) => {
      resolve(limits);
      return hangsAfter(begun)(call, limits);
    });
  });
  const asked = stream({ signal: controller.signal }).then((answer) => answer.text());
  const { signal } = await arrived;

  controller.abort();

  await expect(asked).rejects.toThrow();
  await expect.poll(() => signal.aborted).toBe(true);
  expect(await weir.newRows()).toEqual([]);
});

test("a caller who leaves a whole answer in the middle takes its work along, and pays nothing", async () => {
  const controller = new AbortController();
  const arrived = new Promise<CallLimits>((resolve) => {
    weir.model.nextGeneration((call, limits) => {
      resolve(limits);
      return hangsAfter(begun, said("a"))(call, limits);
    });
  });
  const asked = ask({}, { signal: controller.signal });
  const { signal, timeoutMs } = await arrived;

  controller.abort();

  await expect(asked).rejects.toThrow();
  await expect.poll(() => signal.aborted).toBe(true);
  expect(timeoutMs).toBe(REQUEST_TIMEOUT_MS);
  expect(await weir.newRows()).toEqual([]);
});

test("an engine is not asked for more than a caller takes who does not read", async () => {
  const EVENTS_MAX = 2_000;
  const controller = new AbortController();
  let given = 0;
  weir.model.nextGeneration(async function* floods() {
    yield begun;
    for (; given < EVENTS_MAX; given += 1) yield said("x".repeat(64 * 1024));
  });
  const answer = await stream({ signal: controller.signal });
  let before = -1;

  await expect
    .poll(() => {
      const isStill = given === before;
      before = given;
      return isStill;
    })
    .toBe(true);

  expect(answer.status).toBe(200);
  expect(given).toBeLessThan(EVENTS_MAX / 4);
  controller.abort();
  await expect.poll(() => weir.newRows()).toMatchObject([{ oc: "cancelled" }]);
});

test("a key that is revoked in the middle of a stream ends no stream: it is finished and billed, and nothing new begins with it", async () => {
  const key = await weir.makeKey("acme", "infer");
  const authorization = `Bearer ${key}`;
  const { generate, next } = paced(begun, said("one "), said("two"), finished, done);
  weir.model.nextGeneration(generate);
  next();
  next();
  const answer = await stream({ headers: { authorization } });

  await weir.revoke(key);
  weir.clock.advance(30_000);
  const refused = await ask({}, { headers: { authorization } });
  for (let step = 0; step < 3; step += 1) next();
  const read = readEvents(await answer.text());

  expect(refused.status).toBe(401);
  expect(read).toMatchObject({ isDone: true, error: undefined });
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", to: "2", k: key.split("_")[3] }]);
  weir.clock.advance(-30_000);
});
