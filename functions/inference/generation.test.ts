import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { GenerationCall } from "../../shared/inference/contract.ts";
import type { GenerateEvent, GenerateRequest } from "../../shared/inference/generation.ts";
import { folderOf, type StoredVersion, startInference, storeVersion, type TestInference } from "../../test/harness/inference.ts";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";

const GPT2 = folderOf("test/fixtures/models/tiny-gpt2");
const SMOLLM2 = folderOf("cdk/local/models/smollm2-135m-instruct");
const BERT = folderOf("test/fixtures/models/tiny-bert-embed");
const LIMITS = { signal: new AbortController().signal, timeoutMs: 30_000 };

type Expected = { readonly cases: readonly { prompt: string; input_ids: number[]; greedy_ids: number[]; greedy_text: string }[] };

let s3: TestS3;
let gpt2: StoredVersion;
let smollm2: StoredVersion;
let bert: StoredVersion;
let inference: TestInference;

beforeAll(async () => {
  s3 = await startS3();
  gpt2 = await storeVersion(s3, GPT2, "fp32");
  smollm2 = await storeVersion(s3, SMOLLM2, "q4");
  bert = await storeVersion(s3, BERT, "fp32");
  inference = await startInference(s3, { WEIR_WORKERS: "2" });
  return async () => {
    await inference.close();
    await s3.close();
  };
});

const greedy = (prompt: string, change: Partial<GenerateRequest> = {}): GenerateRequest => ({
  task: "generate",
  prompts: [{ kind: "text", text: prompt }],
  n: 1,
  maxTokens: 24,
  sampling: { temperature: 0 },
  stop: [],
  ...change,
});

let calls = 0;
function callFor({ manifestDigest, dtype }: StoredVersion, body: GenerateRequest): GenerationCall {
  calls += 1;
  return { requestId: `g${calls}`, tenant: "demo", model: "model", version: 1, manifestDigest, dtype, body };
}

const generate = (version: StoredVersion, body: GenerateRequest, limits = LIMITS) =>
  Array.fromAsync(inference.client.generate(callFor(version, body), limits));

const textOf = (events: readonly GenerateEvent[], choice = 0) =>
  events.map((event) => (event.kind === "text" && event.choice === choice ? event.text : "")).join("");

test("a generation ends with what it has said when its time is over, and says how long it computed", async () => {
  const events = await generate(gpt2, greedy("def", { maxTokens: 100, withinMs: 1 }));

  const [done, end] = [events.at(-1), events.at(-2)];
  expect(end).toEqual({ kind: "finished", choice: 0, finish: { reason: "length" } });
  expect(done).toMatchObject({ kind: "done", outputTokens: [expect.any(Number)], runMs: expect.any(Number) });
  const tokens = done?.kind === "done" ? (done.outputTokens[0] ?? 0) : 0;
  expect(tokens).toBeGreaterThan(0);
  expect(tokens).toBeLessThan(100);
});

test("every prompt at once is answered with PyTorch's greedy text, and counted", async () => {
  const { cases } = JSON.parse(await readFile(join(GPT2, "expected.json"), "utf8")) as Expected;
  const some = cases.filter(({ prompt }) => prompt !== "");

  const answers = await Promise.all(some.map(({ prompt }) => generate(gpt2, greedy(prompt))));

  expect(answers.map((events) => textOf(events))).toEqual(some.map(({ greedy_text }) => greedy_text));
  expect(answers.map(([first]) => first)).toEqual(some.map(({ input_ids }) => ({ kind: "begun", inputTokens: [input_ids.length] })));
  expect(answers.map((events) => events.at(-1))).toMatchObject(some.map(() => ({ kind: "done", outputTokens: [expect.any(Number)] })));
});

test("a conversation is answered through the model's own template, as on its own", async () => {
  const { chats } = JSON.parse(await readFile(join(SMOLLM2, "expected.json"), "utf8")) as {
    chats: { messages: { role: string; content: string }[]; promptIds: number[] }[];
  };
  const [chat] = chats;
  if (chat === undefined) throw new Error("no conversation is expected");

  const events = await generate(smollm2, greedy("", { prompts: [{ kind: "chat", messages: chat.messages }] }));

  expect(events[0]).toEqual({ kind: "begun", inputTokens: [chat.promptIds.length] });
  expect(textOf(events)).toMatch(/Paris/);
  expect(events.find(({ kind }) => kind === "finished")).toMatchObject({ finish: { reason: "stop" } });
});

describe("what cannot be generated is refused before anything is answered", () => {
  test.each<[string, GenerateRequest, object]>([
    [
      "a chat without a template",
      greedy("", { prompts: [{ kind: "chat", messages: [{ role: "user", content: "Hi" }] }] }),
      { field: "messages" },
    ],
    ["a prompt beyond the context", greedy("word ".repeat(500)), {}],
    ["a token outside of the vocabulary", greedy("", { prompts: [{ kind: "tokens", tokenIds: [9_999] }] }), {}],
  ])("%s", async (_, body, failure) => {
    await expect(generate(gpt2, body)).rejects.toMatchObject({ code: "invalid_request", ...failure });
  });

  test("a model that does not generate", async () => {
    await expect(generate(bert, greedy("x"))).rejects.toMatchObject({ code: "invalid_request", field: "model" });
  });
});

test("whoever leaves or runs out of time frees the place, and the others answer on", async () => {
  const leaving = new AbortController();
  const long = greedy("The", {
    prompts: [{ kind: "chat", messages: [{ role: "user", content: "Tell me a very long story." }] }],
    maxTokens: 2_000,
  });
  const left = expect(generate(smollm2, long, { ...LIMITS, signal: leaving.signal })).rejects.toMatchObject({ code: "cancelled" });
  const late = expect(generate(smollm2, long, { ...LIMITS, timeoutMs: 700 })).rejects.toMatchObject({ code: "timeout" });
  const first = inference.client.generate(callFor(smollm2, long), LIMITS)[Symbol.asyncIterator]();
  await first.next();

  leaving.abort();
  await first.return?.();

  await left;
  await late;
  expect(textOf(await generate(gpt2, greedy("Paris is the capital", { maxTokens: 2 })))).not.toBe("");
});

test("vectors are computed between the steps of a generation", async () => {
  const writing = generate(smollm2, greedy("Once upon a time", { maxTokens: 40 }));
  const body = { task: "embed", inputs: [{ kind: "text", text: "a" }], overlong: "cut" } as const;

  const embedded = await Promise.all(Array.from({ length: 8 }, () => inference.client.run({ ...callFor(bert, greedy("")), body }, LIMITS)));

  expect(embedded).toHaveLength(8);
  expect((await writing).at(-1)).toMatchObject({ kind: "done" });
});
