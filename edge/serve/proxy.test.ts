import type { ServerResponse } from "node:http";
import { InferenceClient } from "@huggingface/inference";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { answerEvents, answerJson, contentEvent, DONE, type Engine, startEngine, usageEvent } from "../../test/harness/engine.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { SETTLE_TIMEOUT_MS } from "../limits.ts";

let weir: Serving;
let engine: Engine;
let client: OpenAI;
beforeAll(async () => {
  engine = await startEngine();
  const credential = { value: "the-engine's-key", origins: [new URL(engine.url).origin] };
  weir = await startServing({ WEIR_UPSTREAM_ENGINE: JSON.stringify(credential) });
  await weir.addVersion("llama", { upstream: { url: engine.url, model: "meta/llama", credential: "WEIR_UPSTREAM_ENGINE" } });
  client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: weir.key, maxRetries: 0 });
});
afterAll(async () => {
  await weir.close();
  await engine.close();
});
beforeEach(async () => {
  weir.store.turn("open");
  engine.asked.length = 0;
  await weir.newRows();
});

const messages = [{ role: "user", content: "hi" }] as const;
const COMPLETION = {
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
};
const USAGE = { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 };

const chat = (more: object = {}) => weir.post("/v1/chat/completions", { model: "llama", messages, ...more });

/** The texts of a stream, and what it said went wrong. */
async function readStream(answer: Response): Promise<{ contents: string[]; isDone: boolean; error: string | undefined; text: string }> {
  const text = await answer.text();
  const events = text.split("\n\n").flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []));
  const contents = events.flatMap((event) => event.choices?.map((choice: { delta: { content: string } }) => choice.delta.content) ?? []);
  const error = events.find((event) => event.error !== undefined)?.error.message;
  return { contents, isDone: text.includes("[DONE]"), error, text };
}

test("a whole answer passes through under our name, and its usage is metered", async () => {
  engine.next(answerJson(200, { ...COMPLETION, usage: USAGE }));

  const { data, response } = await client.chat.completions.create({ model: "llama", messages: [...messages], seed: 7 }).withResponse();

  expect(data.choices[0]?.message.content).toBe("yes");
  expect(response.headers.get("weir-tier")).toBe("upstream");
  expect(engine.asked).toMatchObject([{ path: "/v1/chat/completions", body: { model: "meta/llama", messages, seed: 7 } }]);
  expect(await weir.newRows()).toMatchObject([
    { mo: "llama", v: "1", tr: "upstream", ta: "generate", ti: "4", to: "2", oc: "ok", di: "openai" },
  ]);
});

test("the engine sees its own key, and nothing of the caller's", async () => {
  engine.next(answerJson(200, { ...COMPLETION, usage: USAGE }));

  await weir.post("/v1/chat/completions", { model: "llama", messages }, { cookie: "c=1", "x-secret": "s", "weir-unit": "u" });

  const [asked] = engine.asked;
  expect(asked?.headers.authorization).toBe("Bearer the-engine's-key");
  expect(Object.keys(asked?.headers ?? {}).toSorted()).toEqual(["authorization", "connection", "content-length", "content-type", "host"]);
});

test("embeddings of an engine are metered by its usage, wherever it stands in the answer", async () => {
  engine.next(answerJson(200, { object: "list", data: [{ index: 0, object: "embedding", embedding: [1, 2] }], model: "m", usage: USAGE }));
  engine.next(answerJson(200, { usage: USAGE, object: "list", data: [] }));

  await client.embeddings.create({ model: "llama", input: ["x", "y"], encoding_format: "float" });
  await weir.post("/v1/embeddings", { model: "llama", input: "x" });

  expect(await weir.newRows()).toMatchObject([
    { ta: "embed", ti: "4" },
    { ta: "embed", ti: "4" },
  ]);
});

test("a stream passes through as it comes, and its usage event only to who asked for it", async () => {
  const events = [contentEvent("a"), ": ping\n\n", contentEvent("b"), usageEvent(4, 2), DONE];
  engine.next(answerEvents(...events));
  engine.next(answerEvents(...events));

  const unasked = await readStream(await chat({ stream: true }));
  const asked = await readStream(await chat({ stream: true, stream_options: { include_usage: true } }));

  expect(unasked).toMatchObject({ contents: ["a", "b"], isDone: true, error: undefined });
  expect(unasked.text).toContain(": ping");
  expect(unasked.text).not.toContain("usage");
  expect(asked.text).toContain('"prompt_tokens":4');
  expect(engine.asked.map(({ body }) => body["stream_options"])).toEqual([{ include_usage: true }, { include_usage: true }]);
  expect(await weir.newRows()).toMatchObject([
    { ti: "4", to: "2", oc: "ok" },
    { ti: "4", to: "2", oc: "ok" },
  ]);
});

test("the official client reads a stream to its end", async () => {
  engine.next(answerEvents(contentEvent("a"), contentEvent("b"), usageEvent(4, 2), DONE));

  const stream = await client.chat.completions.create({ model: "llama", messages: [...messages], stream: true });

  const contents = [];
  for await (const chunk of stream) contents.push(chunk.choices[0]?.delta.content);
  expect(contents).toEqual(["a", "b"]);
});

test("the Hugging Face client's chat reaches the engine below the model's path", async () => {
  engine.next(answerJson(200, { ...COMPLETION, id: "1", created: 1, model: "m", usage: USAGE }));

  const answer = await new InferenceClient(weir.key).chatCompletion({ endpointUrl: `${weir.url}/hf/llama`, messages: [...messages] });

  expect(answer.choices[0]?.message.content).toBe("yes");
  expect(engine.asked).toMatchObject([{ body: { model: "meta/llama" } }]);
  expect(await weir.newRows()).toMatchObject([{ di: "hf", mo: "llama" }]);
});

test("an engine that keeps its connection open after the last event holds nobody up", async () => {
  let open: ServerResponse | undefined;
  engine.next((outgoing) => {
    open = outgoing;
    outgoing.writeHead(200, { "content-type": "text/event-stream" }).write(contentEvent("a") + DONE);
  });

  const { contents, isDone } = await readStream(await chat({ stream: true }));

  expect([contents, isDone]).toEqual([["a"], true]);
  open?.destroy();
});

test("a stream that breaks off says so in-band, never ends cleanly, and is billed as far as it came", async () => {
  engine.next((outgoing) => {
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    outgoing.write(contentEvent("a"), () => outgoing.destroy());
  });
  engine.next(answerEvents(contentEvent("a"))); // ends without [DONE]
  engine.next(answerEvents(contentEvent("a"), "data: {garbage\n\n", DONE));

  for (let turn = 0; turn < 3; turn += 1) {
    const { contents, isDone, error } = await readStream(await chat({ stream: true }));

    expect([contents, isDone, error]).toEqual([["a"], false, "The engine behind this model broke off its answer."]);
  }
  expect(await weir.newRows()).toMatchObject(Array(3).fill({ oc: "cut", to: "1" }));
});

test("the official client throws when a stream breaks", async () => {
  engine.next(answerEvents(contentEvent("a")));
  const stream = await client.chat.completions.create({ model: "llama", messages: [...messages], stream: true });

  const readAll = async () => {
    for await (const _ of stream);
  };

  await expect(readAll()).rejects.toThrow("broke off");
});

test("a caller who leaves in the middle is billed as far as the stream came, and the engine is let go", async () => {
  const engineLeft = new Promise<void>((resolve) => {
    engine.next((outgoing) => {
      outgoing.once("close", () => resolve());
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).write(contentEvent("a") + contentEvent("b"));
    });
  });
  const controller = new AbortController();
  const answer = await fetch(`${weir.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${weir.key}` },
    body: JSON.stringify({ model: "llama", messages, stream: true }),
    signal: controller.signal,
  });
  let seen = "";
  for await (const chunk of answer.body ?? []) {
    seen += Buffer.from(chunk).toString();
    if (seen.includes('"b"')) break;
  }

  controller.abort();

  await engineLeft;
  await expect.poll(() => weir.newRows()).toMatchObject([{ oc: "cancelled", to: "2" }]);
});

test("a ledger that fails at the end of a stream withholds the end and says so", async () => {
  let end = () => {};
  engine.next((outgoing) => {
    outgoing.writeHead(200, { "content-type": "text/event-stream" }).write(contentEvent("a"));
    end = () => outgoing.end(usageEvent(4, 2) + DONE);
  });
  const answer = await chat({ stream: true });
  const streamed = readStream(answer);
  await expect.poll(async () => (await weir.ledgerItems()).some(({ st, pg }) => st === "P" && pg === "64")).toBe(true);
  const before = weir.store.callsOf("UpdateItem weir-ledger");
  weir.store.turn("closed", "UpdateItem weir-ledger");
  end();
  await expect.poll(() => weir.store.callsOf("UpdateItem weir-ledger")).toBeGreaterThan(before);

  weir.clock.advance(SETTLE_TIMEOUT_MS);

  expect(await streamed).toMatchObject({ contents: ["a"], isDone: false, error: "The store did not answer in time. Try again." });
  weir.store.turn("open");
  expect(await weir.newRows()).toEqual([]);
});

test.each([400, 404, 413, 422, 429])("what the engine refuses with %i is told in its own words", async (status) => {
  engine.next(answerJson(status, { error: { message: "the engine's words" } }, { "retry-after": "7" }));

  const answer = await chat();

  expect(answer.status).toBe(status);
  expect(answer.headers.get("retry-after")).toBe("7");
  expect(await answer.json()).toEqual({ error: { message: "the engine's words" } });
  expect(await weir.newRows()).toEqual([]);
});

test.each([
  [401, 502],
  [403, 502],
  [500, 502],
  [503, 503],
])("an engine's %i is between it and us: the caller gets %i without its words", async (status, ours) => {
  engine.next(answerJson(status, { error: { message: "the engine's secret" } }));

  const answer = await chat();

  expect(answer.status).toBe(ours);
  expect(await answer.text()).not.toContain("secret");
  expect(await weir.newRows()).toEqual([]);
});

test("garbage instead of JSON, and an answer that breaks off, are 502", async () => {
  engine.next((outgoing) => outgoing.writeHead(200, { "content-type": "application/json" }).end("<html>"));
  engine.next((outgoing) => {
    outgoing.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    outgoing.write("{", () => outgoing.destroy());
  });

  expect((await chat()).status).toBe(502);
  expect((await chat()).status).toBe(502);
  expect(await weir.newRows()).toEqual([]);
});

test("an engine that is not there is 503", async () => {
  await weir.addVersion("gone", { upstream: { url: "http://127.0.0.1:1/v1", model: "m" } });

  const answer = await weir.post("/v1/completions", { model: "gone", prompt: "x" });

  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("5");
});

test("a body that is nested too deeply to be written again is refused, not a crash", async () => {
  const body = `{"model":"llama","messages":${"[".repeat(60_000)}${"]".repeat(60_000)}}`;

  expect((await weir.post("/v1/chat/completions", body)).status).toBe(400);
  expect(engine.asked).toEqual([]);
});

test("a model of ours does not generate, and says so", async () => {
  const answer = await weir.post("/v1/completions", { model: "minilm", prompt: "x" });

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { param: "model", message: "The model 'minilm' does not generate text." } });
});
