import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure } from "../base/failure.ts";
import type { EmbedRequest, InferenceResult, TaskRequest } from "./contract.ts";
import { decodeFailure, decodeResult, encodeFailure, encodeResult } from "./wire.ts";

const REQUEST: EmbedRequest = {
  task: "embed",
  inputs: [
    { kind: "text", text: "héllo 👩‍👧" },
    { kind: "tokens", tokenIds: [101, 102] },
  ],
  overlong: "cut",
};

const VECTORS: InferenceResult = {
  body: { task: "embed", vectors: new Float32Array([0.1, -0, 3e38, 1e-45, 5, 6]), dimensions: 3 },
  inputTokens: [7, 2],
  queueMs: 1.5,
  runMs: 12,
};

describe("results", () => {
  test("numbers arrive bit by bit, wherever the bytes lie in memory", () => {
    const bytes = encodeResult(VECTORS);

    for (const offset of [0, 1, 2, 3]) {
      const moved = new Uint8Array(bytes.length + offset);
      moved.set(bytes, offset);
      expect(decodeResult(moved.subarray(offset), REQUEST)).toEqual(VECTORS);
    }
  });
});

describe("results in words", () => {
  test("labels travel beside their scores", () => {
    const result: InferenceResult = {
      ...VECTORS,
      body: { task: "classify", labels: ["schlecht", "gut ✓"], scores: new Float32Array([0.25, 0.75, 1, 0]) },
    };

    expect(decodeResult(encodeResult(result), { task: "classify", inputs: REQUEST.inputs, overlong: "cut" })).toEqual(result);
  });

  test.each<[TaskRequest, InferenceResult["body"]]>([
    [
      { task: "tag", texts: ["a"], aggregation: "none" },
      { task: "tag", items: [[{ label: "B-PER", score: 0.5, word: "a", start: 0, end: 1, index: 1 }]] },
    ],
    [
      { task: "answer", questions: [{ question: "?", context: "c" }] },
      { task: "answer", items: [[{ answer: "c", score: 0.5, start: 0, end: 1 }]] },
    ],
    [
      { task: "fill", texts: ["[MASK]"] },
      { task: "fill", items: [[[{ score: 0.5, token: 7, tokenText: "x", sequence: "x" }]]] },
    ],
    [
      { task: "zero-shot", texts: ["a"], labels: ["b"] },
      { task: "zero-shot", items: [[{ label: "b", score: 1 }]] },
    ],
    [
      { task: "rerank", query: "q", documents: ["d"], overlong: "cut" },
      { task: "rerank", scores: [0.25] },
    ],
    [
      { task: "detect", texts: ["a"] },
      { task: "detect", items: [[{ index: 1, token: "a", score: 0.5, start: 0, end: 1 }]] },
    ],
    [
      { task: "keywords", texts: ["a"] },
      { task: "keywords", items: [[{ keyword: "a", score: 0.5 }]] },
    ],
    [
      { task: "summarize", texts: ["a."] },
      { task: "summarize", items: [{ summary: "a.", sentences: [{ start: 0, end: 2, score: 1 }] }] },
    ],
  ])("$0.task: what is found travels as it is", (request, body) => {
    const result = { body, inputTokens: [3], queueMs: 0, runMs: 1 };

    expect(decodeResult(encodeResult(result), request)).toEqual(result);
  });

  test("tensors of a bare graph travel byte by byte", () => {
    const tensors = [
      { name: "a", type: "int64", shape: [1, 2], bytes: new Uint8Array(new BigInt64Array([-1n, 2n ** 60n]).buffer) },
      { name: "b", type: "float16", shape: [3], bytes: new Uint8Array([1, 2, 3, 4, 5, 6]) },
      { name: "none", type: "float32", shape: [0, 5], bytes: new Uint8Array() },
    ] as const;
    const result = { body: { task: "forward", tensors }, inputTokens: [2], queueMs: 0, runMs: 1 } as const;

    expect(decodeResult(encodeResult(result), { task: "forward", tensors })).toEqual(result);
  });
});

describe("what is no answer", () => {
  test("an answer that does not fit the request is engine_failed", () => {
    const bytes = encodeResult(VECTORS);

    const wrongTask = { task: "classify", inputs: REQUEST.inputs, overlong: "cut" } as const;
    const oneInput = { ...REQUEST, inputs: REQUEST.inputs.slice(1) };

    expect(failureOf(() => decodeResult(bytes, wrongTask)).code).toBe("engine_failed");
    expect(failureOf(() => decodeResult(bytes, oneInput)).code).toBe("engine_failed");
  });

  test("cut, lengthened and random answers are engine_failed and never anything else", () => {
    const bytes = encodeResult(VECTORS);
    const mangled = fc.oneof(
      fc.nat({ max: bytes.length - 1 }).map((end) => bytes.slice(0, end)),
      fc.uint8Array({ minLength: 1, maxLength: 20 }).map((tail) => new Uint8Array([...bytes, ...tail])),
      fc.uint8Array({ maxLength: 100 }),
    );

    fc.assert(fc.property(mangled, (answer) => failureOf(() => decodeResult(answer, REQUEST)).code === "engine_failed"));
  });
});

describe("failures", () => {
  test("a failure keeps its code, field and time to come back", () => {
    const failure = new Failure("overloaded", "The queue is full.", { field: "input.3", retryAfterMs: 700 });

    expect(decodeFailure(429, Buffer.from(encodeFailure(failure)))).toMatchObject({
      code: "overloaded",
      message: "The queue is full.",
      field: "input.3",
      retryAfterMs: 700,
    });
  });

  test.each([
    [503, "<html>", "unavailable"],
    [504, "", "timeout"],
    [500, '{"error":{"code":"made_up","message":"x"}}', "engine_failed"],
    [418, "{}", "engine_failed"],
  ])("status %i with %j is %s", (status, body, code) => {
    expect(decodeFailure(status, Buffer.from(body)).code).toBe(code);
  });
});

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
