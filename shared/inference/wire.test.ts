import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure } from "../base/failure.ts";
import type { InferenceRequest, InferenceResult } from "./contract.ts";
import {
  decodeFailure,
  decodeRequest,
  decodeResult,
  encodeFailure,
  encodeRequest,
  encodeResult,
  INPUTS_MAX,
  parseRequest,
} from "./wire.ts";

const REQUEST: InferenceRequest = {
  requestId: "r1",
  tenant: "demo",
  model: "minilm",
  version: 1,
  manifestDigest: "a".repeat(64),
  dtype: "q8",
  body: {
    task: "embed",
    inputs: [
      { kind: "text", text: "héllo 👩‍👧" },
      { kind: "tokens", tokenIds: [101, 102] },
    ],
    overlong: "cut",
  },
};

const VECTORS: InferenceResult = {
  body: { task: "embed", vectors: new Float32Array([0.1, -0, 3e38, 1e-45, 5, 6]), dimensions: 3 },
  inputTokens: [7, 2],
  queueMs: 1.5,
  runMs: 12,
};

describe("requests", () => {
  test("a request survives its way over the wire", () => {
    expect(decodeRequest(Buffer.from(encodeRequest(REQUEST)))).toEqual(REQUEST);
  });

  test.each([
    ["no inputs", { inputs: [] }, "input"],
    ["too many inputs", { inputs: Array(INPUTS_MAX + 1).fill({ kind: "text", text: "a" }) }, "input"],
    ["a number for a text", { inputs: [{ kind: "text", text: 7 }] }, "input.0"],
    [
      "a token id below zero",
      {
        inputs: [
          { kind: "text", text: "a" },
          { kind: "tokens", tokenIds: [-1] },
        ],
      },
      "input.1",
    ],
    ["no token ids", { inputs: [{ kind: "tokens", tokenIds: [] }] }, "input.0"],
    ["dimensions that are no number", { dimensions: Number.NaN }, "dimensions"],
    ["dimensions without end", { dimensions: 1e12 }, "dimensions"],
    ["an unknown task", { task: "sing" }, "task"],
  ])("%s are refused with the field's name", (_, change, field) => {
    const refusal = failureOf(() => parseRequest({ ...REQUEST, body: { ...REQUEST.body, ...change } }));

    expect(refusal).toMatchObject({ code: "invalid_request", field });
  });

  test.each([
    ["cut JSON", Buffer.from('{"a":')],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
  ])("%s are refused", (_, bytes) => {
    expect(failureOf(() => decodeRequest(bytes)).code).toBe("invalid_request");
  });
});

describe("results", () => {
  test("numbers arrive bit by bit, wherever the bytes lie in memory", () => {
    const bytes = encodeResult(VECTORS);

    for (const offset of [0, 1, 2, 3]) {
      const moved = new Uint8Array(bytes.length + offset);
      moved.set(bytes, offset);
      expect(decodeResult(moved.subarray(offset), REQUEST.body)).toEqual(VECTORS);
    }
  });

  test("labels travel beside their scores", () => {
    const result: InferenceResult = {
      ...VECTORS,
      body: { task: "classify", labels: ["schlecht", "gut ✓"], scores: new Float32Array([0.25, 0.75, 1, 0]) },
    };

    expect(decodeResult(encodeResult(result), { task: "classify", inputs: REQUEST.body.inputs, overlong: "cut" })).toEqual(result);
  });

  test("an answer that does not fit the request is engine_failed", () => {
    const bytes = encodeResult(VECTORS);

    const wrongTask = { task: "classify", inputs: REQUEST.body.inputs, overlong: "cut" } as const;
    const oneInput = { ...REQUEST.body, inputs: REQUEST.body.inputs.slice(1) };

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

    fc.assert(fc.property(mangled, (answer) => failureOf(() => decodeResult(answer, REQUEST.body)).code === "engine_failed"));
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
