import { afterEach, beforeEach, expect, test } from "vitest";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { gives, paced } from "../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { readEvents, readUntil } from "../../test/harness/stream-reading.ts";
import { CHECKPOINT_TIMEOUT_MS, SETTLE_TIMEOUT_MS } from "../limits.ts";

/** What the store may do to a stream: its row before it, under it and at its end. */
let weir: Serving;
// A gateway for each test: their clocks go far, and none may be set back.
beforeEach(async () => {
  weir = await startServing();
});
afterEach(() => weir.close());

const pass = (ms: number) => weir.clock.advance(ms);

const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const said = (text: string, tokens = 1): GenerateEvent => ({ kind: "text", choice: 0, text, tokens });
const finished: GenerateEvent = { kind: "finished", choice: 0, finish: { reason: "stop" } };
const done = { kind: "done", outputTokens: [2], queueMs: 0, runMs: 9.5 } as const satisfies GenerateEvent;

const stream = (more: object = {}) =>
  weir.post("/v1/completions", { model: "smol", prompt: "a weir stands", stream: true, max_tokens: 200, ...more });
const callsOf = () => weir.store.callsOf("UpdateItem weir-ledger");
/** The row of an answer, in whatever state it is. */
const rowOf = async (answer: Response) =>
  (await weir.ledgerItems()).find(({ sk = "" }) => sk.endsWith(`#${answer.headers.get("weir-request-id")}`));

test("a stream is reserved before its work, and not begun where that cannot be", async () => {
  const before = weir.store.callsOf("PutItem weir-ledger");
  weir.store.turn("closed", "PutItem weir-ledger");
  const streamed = stream();
  await expect.poll(() => weir.store.callsOf("PutItem weir-ledger")).toBeGreaterThan(before);

  pass(SETTLE_TIMEOUT_MS);

  expect((await streamed).status).toBe(503);
  expect(weir.model.generations).toEqual([]);
  weir.store.turn("open");
});

test("no text leaves before a checkpoint covers it, and then it does", async () => {
  const before = callsOf();
  weir.store.turn("throttled", "UpdateItem weir-ledger");
  const { generate, next } = paced(begun, said("a"), finished, done);
  weir.model.nextGeneration(generate);
  const answering = stream();
  next();
  const reader = (await answering).body?.getReader();
  next();
  const first = reader?.read();
  await expect.poll(callsOf).toBeGreaterThan(before + 1);

  const early = await Promise.race([first, Promise.resolve("nothing")]);
  weir.store.turn("open");

  expect(early).toBe("nothing");
  expect(Buffer.from((await first)?.value ?? []).toString()).toContain('"a"');
  next();
  next();
  expect(readEvents(await readUntil(reader, () => false)).isDone).toBe(true);
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", to: "2", pg: "64" }]);
});

test("what is covered leaves although the store is down; then the stream ends in-band, and a dead gateway would have billed the checkpoint", async () => {
  const { generate, next } = paced(begun, said("a"), said("b", 63), said("c", 1), finished, done);
  weir.model.nextGeneration(generate);
  const answering = stream();
  next();
  const answer = await answering;
  const reader = answer.body?.getReader();
  await expect.poll(async () => (await rowOf(answer))?.["pg"]).toBe("64");
  weir.store.turn("closed", "UpdateItem weir-ledger");
  next();
  next();
  const seen = await readUntil(reader, (text) => text.includes('"b"'));
  next();
  const ending = readUntil(reader, () => false);
  let [isOver, turns] = [false, 0];
  void ending.then(() => {
    isOver = true;
  });

  // The checkpoint that is under way, and the one that the last piece asks for itself.
  await expect
    .poll(() => {
      turns += 1;
      if (turns <= 4) pass(CHECKPOINT_TIMEOUT_MS);
      return isOver;
    })
    .toBe(true);

  const rest = readEvents(await ending);
  expect(readEvents(seen).text).toBe("ab");
  expect(rest).toMatchObject({ text: "", isDone: false, error: { message: "The store did not answer in time. Try again." } });
  weir.store.turn("open");
});

test("a request's own limit is never exceeded by what is covered", async () => {
  weir.model.nextGeneration(gives(begun, said("a"), finished, { ...done, outputTokens: [1] }));

  await (await stream({ max_tokens: 3 })).text();

  expect(await weir.newRows()).toMatchObject([{ oc: "ok", to: "1", pg: "3" }]);
});

test("the end of a stream waits for its row, the texts before it do not", async () => {
  const { generate, next } = paced(begun, said("a"), finished, done);
  weir.model.nextGeneration(generate);
  const answering = stream();
  next();
  const reader = (await answering).body?.getReader();
  next();
  await readUntil(reader, (text) => text.includes('"a"'));
  const before = callsOf();
  weir.store.turn("throttled", "UpdateItem weir-ledger");
  next();
  next();
  const rest = readUntil(reader, () => false);

  await expect.poll(callsOf).toBeGreaterThan(before);
  expect(await Promise.race([rest, Promise.resolve("nothing")])).toBe("nothing");
  weir.store.turn("open");

  expect(readEvents(await rest)).toMatchObject({ isDone: true, error: undefined });
  expect(await weir.newRows()).toMatchObject([{ oc: "ok" }]);
});

test("a ledger that fails at the end of a stream withholds the end and says so, and leaves the row to expire as far as it was covered", async () => {
  const { generate, next } = paced(begun, said("a"), finished, done);
  weir.model.nextGeneration(generate);
  const answering = stream();
  next();
  const answer = await answering;
  const reader = answer.body?.getReader();
  next();
  await readUntil(reader, (text) => text.includes('"a"'));
  const before = callsOf();
  weir.store.turn("closed", "UpdateItem weir-ledger");
  next();
  next();
  await expect.poll(callsOf).toBeGreaterThan(before);

  pass(SETTLE_TIMEOUT_MS);

  const error = { message: "The store did not answer in time. Try again.", type: "server_error" };
  expect(readEvents(await readUntil(reader, () => false))).toMatchObject({ isDone: false, error });
  weir.store.turn("open");
  expect(await rowOf(answer)).toMatchObject({ st: "P", pg: "64" });
  expect(await weir.newRows()).toEqual([]);
});
