import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { ANSWER_KEPT_MS, claimIdOf } from "../../shared/usage/retries/idempotency.ts";
import { answerEvents, answerJson, contentEvent, DONE, startEngine, usageEvent } from "../../test/harness/engine.ts";
import { failsAfter, paced } from "../../test/harness/generation-double.ts";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let s3: TestS3;
let weir: Serving;
beforeAll(async () => {
  s3 = await startS3();
  weir = await startServing({
    AWS_REGION: s3.settings.region,
    WEIR_S3_ENDPOINT: s3.settings.endpoint ?? "",
    WEIR_RECORDS_BUCKET: s3.recordsBucket,
  });
});
afterAll(async () => {
  await weir.close();
  await s3.close();
});

beforeEach(async () => {
  weir.model.generations.length = 0;
  await weir.newRows();
});

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

/** What a caller sees of an answer; each answer has the rate limit's state of its own time. */
async function seen(answer: Response) {
  const headers = Object.fromEntries(answer.headers);
  for (const name of ["date", "ratelimit", "connection", "keep-alive", "transfer-encoding", "content-length"]) delete headers[name];
  return { status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()).toString("base64") };
}

/** The second answer is the first again, told to be so, and one row is billed. */
async function expectReplay(ask: () => Promise<Response>) {
  const first = await seen(await ask());
  const second = await seen(await ask());

  const { "idempotent-replayed": isReplayed, ...headers } = second.headers;
  expect(isReplayed).toBe("true");
  expect({ ...second, headers }).toEqual(first);
  expect(first.status).toBe(200);
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", sk: expect.stringContaining(String(first.headers["weir-request-id"])) }]);
}

test("a key that may not name the model gets no answer that another key of its tenant got", async () => {
  const [idempotencyKey, limited] = [newKey(), await weir.makeKey("acme", "infer")];
  const { keys } = weir.deps.control;
  const stored = await keys.current(limited.split("_")[3] ?? "");
  if (stored === undefined) throw new Error("no key");
  await keys.append(stored.body.id, stored.revision, {
    body: { ...stored.body, models: ["smol"] },
    change: { by: "test", why: "", atMs: 0 },
  });
  await (await embed(idempotencyKey)).text();

  const refused = await weir.post("/v1/embeddings", EMBED, { authorization: `Bearer ${limited}`, "idempotency-key": idempotencyKey });

  expect([refused.status, await refused.text()]).toEqual([404, expect.stringContaining("does not exist or you do not have access")]);
  expect(refused.headers.get("idempotent-replayed")).toBeNull();
});

const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const said = (text: string, tokens = 1): GenerateEvent => ({ kind: "text", choice: 0, text, tokens });
const finished: GenerateEvent = { kind: "finished", choice: 0, finish: { reason: "stop" } };
const done: GenerateEvent = { kind: "done", outputTokens: [2], queueMs: 0, runMs: 9.5 };

const ROUTES: [route: string, path: string, body: object][] = [
  ["embeddings", "/v1/embeddings", EMBED],
  ["completions", "/v1/completions", { model: "smol", prompt: "a weir" }],
  ["streamed completions", "/v1/completions", { model: "smol", prompt: "a weir", stream: true }],
  ["chat", "/v1/chat/completions", { model: "smol", messages: [{ role: "user", content: "a weir" }] }],
  ["streamed chat", "/v1/chat/completions", { model: "smol", messages: [{ role: "user", content: "a weir" }], stream: true }],
  ["reranking", "/v1/rerank", { model: "minilm", query: "a", documents: ["b", "c"] }],
  ["hf", "/hf/sentiment", { inputs: "a weir" }],
  ["hf by task", "/hf/minilm/pipeline/feature-extraction", { inputs: "a weir" }],
  ["hf generation", "/hf/smol", { inputs: "a weir" }],
  ["hf stream", "/hf/smol", { inputs: "a weir", stream: true }],
  ["hf completions", "/hf/smol/v1/completions", { prompt: "a weir" }],
  ["hf chat", "/hf/smol/v1/chat/completions", { messages: [{ role: "user", content: "a weir" }] }],
  ["oip", "/v2/models/minilm/infer", { inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: ["a weir"] }] }],
  [
    "oip, binary out",
    "/v2/models/minilm/versions/1/infer",
    { inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: ["a weir"] }], parameters: { binary_data_output: true } },
  ],
  ["oip generate", "/v2/models/smol/generate", { text_input: "a weir" }],
  ["oip generate_stream", "/v2/models/smol/generate_stream", { text_input: "a weir" }],
];

test.each(ROUTES)("%s: the same key and body give the same answer again, billed once", async (_, path, body) => {
  const key = newKey();

  await expectReplay(() => weir.post(path, body, { "idempotency-key": key }));
});

test("a body is the same one compressed or not, and a replay is compressed for who asks for it", async () => {
  const { gzipSync } = await import("node:zlib");
  const key = newKey();
  const plain = JSON.stringify({ inputs: [{ name: "text", shape: [30], datatype: "BYTES", data: Array(30).fill("a weir") }] });
  const headers = { "idempotency-key": key };
  const path = "/v2/models/minilm/infer";

  const first = await weir.post(path, plain, { ...headers, "accept-encoding": "identity" });
  const second = await weir.post(path, gzipSync(plain), { ...headers, "content-encoding": "gzip", "accept-encoding": "gzip" });

  expect([second.headers.get("idempotent-replayed"), second.headers.get("content-encoding")]).toEqual(["true", "gzip"]);
  expect(await second.text()).toBe(await first.text());
  expect(await weir.newRows()).toHaveLength(1);
});

test("an answer larger than an item's room is kept in the bucket", async () => {
  const key = newKey();
  const input = Array.from({ length: 200 }, (_, index) => `a weir ${index}`);

  await expectReplay(() => embed(key, { model: "minilm", input }));
});

test("a key is quoted or bare, and each tenant has its own", async () => {
  const key = newKey();
  const other = await weir.makeKey("globex", "infer");

  const answers = [
    await embed(key),
    await embed(`"${key}"`),
    await weir.post("/v1/embeddings", EMBED, { "idempotency-key": key, authorization: `Bearer ${other}` }),
  ];

  expect(answers.map(({ headers }) => headers.get("idempotent-replayed"))).toEqual([null, "true", null]);
  expect(await weir.newRows()).toHaveLength(2);
});

test.each(["", '"unfinished', "x".repeat(256), "kéy"])("the key '%s' is refused, and nothing is stored", async (key) => {
  const before = await weir.ledgerItems();

  const answer = await weir.post("/v1/embeddings", EMBED, { "idempotency-key": key }).catch(() => undefined);

  if (answer !== undefined) expect(answer.status).toBe(400); // undici itself sends no such header
  expect(await weir.ledgerItems()).toEqual(before);
});

test("another body under the same key is 422 and stores nothing, in every dialect's form", async () => {
  const key = newKey();
  await embed(key);
  await weir.newRows();
  const before = await weir.ledgerItems();

  const answer = await embed(key, { ...EMBED, input: "another" });

  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({ error: { code: "key_reused", param: "Idempotency-Key" } });
  expect((await weir.post("/hf/minilm", { inputs: "x" }, { "idempotency-key": key })).status).toBe(422);
  expect(await weir.ledgerItems()).toEqual(before);
});

test("what is refused before any work stores nothing, and its key can be used again with another body", async () => {
  const key = newKey();
  const before = await weir.ledgerItems();

  const refused = [
    await embed(key, { model: "minilm", input: "" }),
    await embed(key, { model: "nobody", input: "x" }),
    await embed(key, { model: "minilm", input: "x", dimensions: 10_000 }),
    await complete(key, { max_tokens: 10_000_000 }),
  ];

  expect(refused.map(({ status }) => status)).toEqual([400, 404, 400, 400]);
  expect(await weir.ledgerItems()).toEqual(before);
  expect((await embed(key)).status).toBe(200);
});

test("while a request is worked on, the same one is 409 with a time to come back, and then it is replayed", async () => {
  const key = newKey();
  const { generate, next } = paced(begun, said("a"), finished, done);
  weir.model.nextGeneration(generate);
  const first = complete(key);
  await expect.poll(() => weir.model.generations.length).toBe(1);

  const second = await complete(key);

  expect([second.status, second.headers.get("retry-after")]).toEqual([409, "2"]);
  for (let event = 0; event < 4; event += 1) next();
  const text = await (await first).text();
  expect(await (await complete(key)).text()).toBe(text);
  expect(await weir.newRows()).toHaveLength(1);
});

test("many at once: one works, the others are told so, and one row is billed", async () => {
  const key = newKey();

  const answers = await Promise.all(Array.from({ length: 8 }, () => embed(key)));

  const statuses = answers.map(({ status }) => status);
  expect(statuses.every((status) => status === 200 || status === 409)).toBe(true);
  expect(statuses).toContain(200);
  expect(await weir.newRows()).toHaveLength(1);
});

/** As clients that are made like OpenAI's have it: a key of their own, the same for all attempts of one request. */
class RetryingClient extends OpenAI {
  protected override idempotencyHeader = "Idempotency-Key";
}

test("OpenAI's client, told the header's name, retries with the key that it makes, and one row is billed", async () => {
  const client = new RetryingClient({ baseURL: `${weir.url}/v1`, apiKey: weir.key, maxRetries: 3 });
  weir.model.nextGeneration(failsAfter(new Failure("engine_failed", "The worker crashed."), begun));

  const answer = await client.completions.create({ model: "smol", prompt: "a weir" });

  expect(answer.choices).toHaveLength(1);
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", e: "2", ik: expect.stringMatching(/^acme#/) }]);
});

test("an engine's whole answer and its stream are kept too, and it is not asked again", async () => {
  const engine = await startEngine();
  await weir.addVersion("llama", { upstream: { url: engine.url, model: "meta/llama" } });
  engine.next(answerJson(200, { choices: [], usage: { prompt_tokens: 4, completion_tokens: 2 } }));
  engine.next(answerEvents(contentEvent("a"), usageEvent(4, 1), DONE));
  const [whole, streamed] = [newKey(), newKey()];
  const chat = (key: string, more: object) =>
    weir.post("/v1/chat/completions", { model: "llama", messages: [{ role: "user", content: "x" }], ...more }, { "idempotency-key": key });

  await expectReplay(() => chat(whole, {}));
  await expectReplay(() => chat(streamed, { stream: true }));

  expect(engine.asked).toHaveLength(2);
  await engine.close();
});

test("what an engine refuses is not kept: the same key asks it again", async () => {
  const engine = await startEngine();
  await weir.addVersion("picky", { upstream: { url: engine.url, model: "m" } });
  engine.next(answerJson(429, { error: { message: "later" } }));
  engine.next(answerJson(200, { data: [], usage: { prompt_tokens: 4 } }));
  const key = newKey();

  const refused = await embed(key, { model: "picky", input: "x" });

  expect(refused.status).toBe(429);
  await expect.poll(async () => (await embed(key, { model: "picky", input: "x" })).status).toBe(200);
  expect(await weir.newRows()).toHaveLength(1);
  await engine.close();
});

test("an answer that is a day old is not given again, and its request not worked on again", async () => {
  const key = newKey();
  const id = claimIdOf("acme", key);
  await embed(key);
  await weir.newRows();
  const claimed = await weir.deps.idempotency.find(id);
  if (claimed?.answer === undefined) throw new Error("the answer is kept");
  // As it looks a day later: this clock may not go so far from the store's.
  await weir.deps.idempotency.claim({ ...claimed, claimedAtMs: claimed.claimedAtMs - ANSWER_KEPT_MS - 1 }, claimed);

  const late = await embed(key);

  expect([late.status, late.headers.get("retry-after")]).toEqual([409, null]);
  expect(await late.json()).toMatchObject({ error: { code: "conflict", message: expect.stringContaining("24 hours") } });
  expect(await weir.newRows()).toEqual([]);
});
