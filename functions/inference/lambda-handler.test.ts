import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, GenerationCall, InferenceRequest, InferenceResult } from "../../shared/inference/contract.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { decodeFailure, decodeResult, LambdaAnswer } from "../../shared/inference/wire.ts";
import { decodeEvents } from "../../shared/inference/wire-events.ts";
import type { AnswerParts } from "./answer.ts";
import { answerInvocation } from "./lambda-handler.ts";

const REQUEST: InferenceRequest = {
  requestId: "r1",
  tenant: "demo",
  model: "minilm",
  version: 1,
  manifestDigest: "a".repeat(64),
  dtype: "q8",
  body: { task: "embed", inputs: [{ kind: "text", text: "hello" }], overlong: "cut" },
};
const RESULT: InferenceResult = {
  body: { task: "embed", vectors: new Float32Array([0.5, -1]), dimensions: 2 },
  inputTokens: [3],
  queueMs: 0,
  runMs: 1,
};
const NOW_MS = 1_000_000;

test("an invocation is run with the time that it has left, and answered with HTTP's bytes", async () => {
  const asked: [InferenceRequest, number][] = [];
  const run = async (request: InferenceRequest, { timeoutMs }: CallLimits) => {
    asked.push([request, timeoutMs]);
    return RESULT;
  };

  const { status, bytes } = await invoke({ timeoutMs: 5_000, request: REQUEST }, run);
  await invoke({ timeoutMs: 800_000, request: REQUEST }, run);

  expect(status).toBe(200);
  expect(decodeResult(bytes, REQUEST.body)).toEqual(RESULT);
  expect(asked).toEqual([
    [REQUEST, 5_000],
    [REQUEST, 59_500],
  ]);
});

test.each([
  ["an event in no form", { hello: 1 }, 400, "invalid_request"],
  ["a request in no form", { timeoutMs: 5_000, request: {} }, 400, "invalid_request"],
  ["a refusal", { timeoutMs: 5_000, request: REQUEST }, 429, "overloaded"],
])("%s is an answer, not a failed invocation", async (_, event, expectedStatus, code) => {
  const { status, bytes } = await invoke(event, async () => {
    throw new Failure("overloaded", "full", { retryAfterMs: 10 });
  });

  expect(status).toBe(expectedStatus);
  expect(decodeFailure(status, bytes).code).toBe(code);
});

test("an answer beyond Lambda's limit is too_large instead of lost", async () => {
  const vectors = new Float32Array(1_300_000);

  const { status } = await invoke({ timeoutMs: 5_000, request: REQUEST }, async () => ({
    ...RESULT,
    body: { task: "embed", vectors, dimensions: vectors.length },
  }));

  expect(status).toBe(413);
});

const GENERATION: GenerationCall = {
  ...REQUEST,
  body: { task: "generate", prompts: [{ kind: "text", text: "Once" }], n: 1, sampling: {}, stop: [] },
};
const EVENTS: GenerateEvent[] = [
  { kind: "begun", inputTokens: [1] },
  { kind: "text", choice: 0, text: " upon", tokens: 1 },
  { kind: "finished", choice: 0, finish: { reason: "stop" } },
  { kind: "done", outputTokens: [1], queueMs: 0, runMs: 5 },
];

test("a generation is answered line by line, and its refusal is a line too", async () => {
  const answered = await answer({ timeoutMs: 5_000, request: GENERATION }, { generate: () => Readable.from(EVENTS) });
  const refused = await answer(
    { timeoutMs: 5_000, request: GENERATION },
    {
      // biome-ignore lint/correctness/useYield: it fails before its first event
      async *generate() {
        throw new Failure("overloaded", "full");
      },
    },
  );

  expect(await Array.fromAsync(decodeEvents(bytesOf(answered)))).toEqual(EVENTS);
  await expect(Array.fromAsync(decodeEvents(bytesOf(refused)))).rejects.toMatchObject({ code: "overloaded" });
});

async function* bytesOf(answered: Uint8Array | AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  if (answered instanceof Uint8Array) yield answered;
  else for await (const line of answered) yield Buffer.from(line);
}

function answer(event: unknown, engine: Partial<AnswerParts["engine"]>) {
  const never = () => {
    throw new Error("not called here");
  };
  const parts = { engine: { run: never, generate: never, ...engine }, log: () => {}, clock: { nowMs: () => NOW_MS } };
  return answerInvocation(parts, { payload: Buffer.from(JSON.stringify(event)), deadlineAtMs: NOW_MS + 60_000 });
}

async function invoke(event: unknown, run: AnswerParts["engine"]["run"]) {
  const bytes = await answer(event, { run });
  if (!(bytes instanceof Uint8Array)) throw new Error("a call is answered whole");
  const { status, body } = LambdaAnswer.parse(JSON.parse(Buffer.from(bytes).toString()));
  return { status, bytes: Buffer.from(body, "base64") };
}
