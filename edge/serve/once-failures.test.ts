import { afterEach, beforeEach, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { claimIdOf } from "../../shared/usage/retries/idempotency.ts";
import { failsAfter, paced } from "../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { SETTLE_TIMEOUT_MS } from "../limits.ts";

/** What becomes of a key when work, the store or a gateway fails. */
let weir: Serving;
// A gateway for each test: their clocks go far, and none may be set back.
beforeEach(async () => {
  weir = await startServing();
});
afterEach(() => weir.close());

const pass = (ms: number) => weir.clock.advance(ms);

const newKey = () => `key-${weir.deps.ids.base62(12)}`;
const EMBED = { model: "minilm", input: "a weir meters a river" };
const embed = (key: string, body: object = EMBED) => weir.post("/v1/embeddings", body, { "idempotency-key": key });
const complete = (key: string, more: object = {}, init: RequestInit = {}) =>
  fetch(`${weir.url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${weir.key}`, "idempotency-key": key },
    body: JSON.stringify({ model: "smol", prompt: "a weir stands", max_tokens: 200, ...more }),
    ...init,
  });

const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const said = (text: string, tokens = 1): GenerateEvent => ({ kind: "text", choice: 0, text, tokens });
const finished: GenerateEvent = { kind: "finished", choice: 0, finish: { reason: "stop" } };
const done: GenerateEvent = { kind: "done", outputTokens: [2], queueMs: 0, runMs: 9.5 };

test("work that failed before any output is void, and a retry is worked on and billed once", async () => {
  const key = newKey();
  weir.model.nextGeneration(failsAfter(new Failure("engine_failed", "The worker crashed."), begun));

  const failed = await complete(key);
  await expect.poll(async () => (await complete(key)).status).toBe(200);

  expect(failed.status).toBe(502);
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", e: "2" }]);
});

test("a stream that was cut by our fault is taken over: the cut row is voided, and the new one billed", async () => {
  const key = newKey();
  weir.model.nextGeneration(failsAfter(new Failure("engine_failed", "The worker crashed."), begun, said("a")));
  const cut = await complete(key, { stream: true });
  expect(await cut.text()).toContain("The worker crashed.");
  expect(await weir.newRows()).toMatchObject([{ oc: "cut", to: "1" }]);

  const again = await complete(key, { stream: true });

  expect(await again.text()).toContain("data: [DONE]");
  const [marker, row] = (await weir.newRows()).toSorted((one, other) => String(one["sk"]).length - String(other["sk"]).length).toReversed();
  expect(marker?.["sk"]).toMatch(new RegExp(`#${cut.headers.get("weir-request-id")}#V$`));
  expect(row).toMatchObject({ oc: "ok" });
  expect((await complete(key, { stream: true })).headers.get("idempotent-replayed")).toBe("true");
});

test("a stream whose caller leaves is completed, kept and billed whole; a retry reads it from its beginning", async () => {
  const key = newKey();
  const { generate, next } = paced(begun, said("a"), said("b"), finished, done);
  weir.model.nextGeneration(generate);
  const controller = new AbortController();
  const leaving = complete(key, { stream: true }, { signal: controller.signal });
  await expect.poll(() => weir.model.generations.length).toBe(1);
  next();
  const answer = await leaving;
  next();
  await answer.body?.getReader().read();

  controller.abort();
  for (let event = 0; event < 3; event += 1) next();

  await expect.poll(() => weir.newRows()).toMatchObject([{ oc: "ok", to: "2" }]);
  const again = await complete(key, { stream: true });
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  const text = await again.text();
  expect([text.includes('"text":"a"'), text.includes('"text":"b"'), text.includes("[DONE]")]).toEqual([true, true, true]);
});

test("a row that was settled although nobody acknowledged it is not answered, keeps its answer for the retry, and is billed once", async () => {
  const key = newKey();
  const { generate, next } = paced(begun, said("a"), finished, done);
  weir.model.nextGeneration(generate);
  const first = complete(key);
  await expect.poll(() => weir.model.generations.length).toBe(1);
  const before = weir.store.callsOf("UpdateItem weir-ledger");
  weir.store.turn("lost", "weir-ledger");
  for (let event = 0; event < 4; event += 1) next();
  await expect.poll(() => weir.store.callsOf("UpdateItem weir-ledger")).toBeGreaterThan(before);
  await expect.poll(async () => (await weir.ledgerItems()).some(({ ik, st }) => ik === claimIdOf("acme", key) && st === "S")).toBe(true);

  pass(SETTLE_TIMEOUT_MS + 1);

  expect((await first).status).toBe(503);
  weir.store.turn("open");
  const again = await complete(key);
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
  expect(await again.text()).toContain('"text":"a"');
  expect(await weir.newRows()).toMatchObject([{ st: "S", oc: "ok" }]);
});

test("who looks for an answer before it is kept, and at its row after it was settled, gets the answer", async () => {
  const key = newKey();
  const { generate, next } = paced(begun, said("a"), finished, done);
  weir.model.nextGeneration(generate);
  const first = complete(key);
  await expect.poll(() => weir.model.generations.length).toBe(1);
  const rowsRead = weir.store.hold("Query weir-ledger");
  const before = weir.store.callsOf("Query weir-ledger");
  const again = complete(key);
  await expect.poll(() => weir.store.callsOf("Query weir-ledger")).toBeGreaterThan(before);
  for (let event = 0; event < 4; event += 1) next();
  expect((await first).status).toBe(200);

  rowsRead.letGo();

  const replayed = await again;
  expect([replayed.status, replayed.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
  expect(await replayed.text()).toContain('"text":"a"');
  expect(await weir.newRows()).toMatchObject([{ st: "S", oc: "ok" }]);
});

test("a lost acknowledgement of any step changes nothing for the caller, and one row is billed", async () => {
  const steps = ["PutItem weir-idempotency", "PutItem weir-ledger", "UpdateItem weir-idempotency", "UpdateItem weir-ledger"];
  for (const step of steps) {
    weir.store.once("lost", step);

    expect((await embed(newKey())).status).toBe(200);
    expect(await weir.newRows()).toMatchObject([{ oc: "ok" }]);
  }
});

test("an answer that cannot be kept is not given, and not billed; its key is free when its row is void", async () => {
  const key = newKey();
  const before = weir.store.callsOf("UpdateItem weir-idempotency");
  weir.store.turn("closed", "UpdateItem weir-idempotency");
  const asked = embed(key);
  await expect.poll(() => weir.store.callsOf("UpdateItem weir-idempotency")).toBeGreaterThan(before);

  pass(SETTLE_TIMEOUT_MS + 1);

  expect((await asked).status).toBe(503);
  weir.store.turn("open");
  expect(await weir.newRows()).toEqual([]);
  await expect.poll(async () => (await embed(key)).status).toBe(200);
  expect(await weir.newRows()).toHaveLength(1);
});

test("a row that cannot be reserved costs nothing, and its key waits until no such row can come any more", async () => {
  const key = newKey();
  const before = weir.store.callsOf("PutItem weir-ledger");
  weir.store.turn("closed", "PutItem weir-ledger");
  const asked = embed(key);
  await expect.poll(() => weir.store.callsOf("PutItem weir-ledger")).toBeGreaterThan(before);

  pass(SETTLE_TIMEOUT_MS + 1);

  expect((await asked).status).toBe(503);
  weir.store.turn("open");
  expect((await embed(key)).status).toBe(409);
  expect(await weir.newRows()).toEqual([]);
});

test("a row that died with its gateway is taken over when it has expired, not before", async () => {
  const key = newKey();
  const first = await embed(key);
  const requestId = String(first.headers.get("weir-request-id"));
  await weir.newRows();
  const { idempotency, ledger } = weir.deps;
  const id = (await weir.ledgerItems()).find(({ sk = "" }) => sk.endsWith(requestId))?.["ik"] ?? "";
  const claimed = await idempotency.find(id);
  if (claimed === undefined) throw new Error("the key has no item");
  // As a gateway leaves it that dies at its work: claimed and reserved, and nothing else.
  const dead = { ...claimed, requestId: weir.deps.ids.requestId(weir.clock.nowMs()), epoch: 2, claimedAtMs: weir.clock.nowMs() };
  await idempotency.claim(dead, claimed);
  const reservation = { tenant: "acme", keyId: "k", model: "minilm", version: 1, arm: "stable", dialect: "openai", task: "embed" } as const;
  const numbers = { inputs: 1, priceVersion: 0, fingerprint: dead.fingerprint, epoch: 2, expiresInMs: 20_000, idempotency: id };
  const row = await ledger.reserve({ ...reservation, ...numbers, requestId: dead.requestId }, 1_000);

  expect((await embed(key)).status).toBe(409);
  pass(20_001);
  const taken = await embed(key);

  expect([taken.status, taken.headers.get("idempotent-replayed")]).toEqual([200, null]);
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", e: "3" }]);
  // The dead one comes back to life: its row is another's, and its claim too.
  expect(await idempotency.keep(dead, { contentType: "x", headers: {}, body: Buffer.from("late") })).toBe(false);
  await expect(
    row.settle(
      {
        ...reservation,
        ...numbers,
        requestId: dead.requestId,
        servedVersion: 1,
        tier: "cpu",
        outcome: "ok",
        inputTokens: 1,
        outputTokens: 0,
        computeMs: 1,
      },
      1_000,
    ),
  ).rejects.toMatchObject({ code: "unavailable" });
});
