import { expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, InferenceRequest, InferenceResult } from "../../shared/inference/contract.ts";
import { decodeFailure, decodeResult, LambdaAnswer } from "../../shared/inference/wire.ts";
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

async function invoke(event: unknown, run: AnswerParts["engine"]["run"]) {
  const payload = Buffer.from(JSON.stringify(event));
  const bytes = await answerInvocation(
    { engine: { run }, log: () => {}, clock: { nowMs: () => NOW_MS } },
    { payload, deadlineAtMs: NOW_MS + 60_000 },
  );
  const { status, body } = LambdaAnswer.parse(JSON.parse(Buffer.from(bytes).toString()));
  return { status, bytes: Buffer.from(body, "base64") };
}
