import { expect, test } from "vitest";
import { Failure } from "../base/failure.ts";
import type { GenerationCall, InferenceRequest } from "./contract.ts";
import type { GenerateRequest } from "./generation.ts";
import { CHOICES_MAX, decodeRequest, encodeRequest, INPUTS_MAX, parseRequest } from "./wire-request.ts";

const CALL = { requestId: "r1", tenant: "demo", model: "minilm", version: 1, manifestDigest: "a".repeat(64), dtype: "q8" } as const;
const REQUEST: InferenceRequest = {
  ...CALL,
  body: {
    task: "embed",
    inputs: [
      { kind: "text", text: "héllo 👩‍👧" },
      { kind: "tokens", tokenIds: [101, 102] },
    ],
    overlong: "cut",
  },
};
const GENERATE: GenerateRequest = {
  task: "generate",
  prompts: [
    { kind: "chat", messages: [{ role: "user", content: "Hi" }] },
    { kind: "text", text: "a" },
    { kind: "tokens", tokenIds: [1] },
  ],
  n: 2,
  maxTokens: 16,
  sampling: { temperature: 0, topP: 0.9, logitBias: { "50256": -100 }, seed: 7 },
  stop: ["\n"],
  topLogprobs: 2,
  format: { kind: "json_schema", schema: { type: "object" } },
};

test("a request survives its way over the wire", () => {
  expect(decodeRequest(Buffer.from(encodeRequest(REQUEST)))).toEqual(REQUEST);
});

test("a generation and a bare call survive it too, the tensors byte by byte", () => {
  const generation: GenerationCall = { ...CALL, body: GENERATE };
  const scored: GenerationCall = { ...CALL, body: { ...GENERATE, echo: true, maxTokens: 0 } };
  const tensor = { name: "input_ids", type: "int64", shape: [1, 1], bytes: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 255]) } as const;
  const bare: InferenceRequest = { ...CALL, body: { task: "forward", tensors: [tensor], outputs: ["logits"] } };

  expect(decodeRequest(Buffer.from(encodeRequest(generation)))).toEqual(generation);
  expect(decodeRequest(Buffer.from(encodeRequest(scored)))).toEqual(scored);
  expect(decodeRequest(Buffer.from(encodeRequest(bare)))).toEqual(bare);
});

test.each([
  ["more choices than a request may have", { n: CHOICES_MAX }, "n"],
  ["no prompt", { prompts: [] }, "prompts"],
  ["no new token", { maxTokens: 0 }, "maxTokens"],
  ["a temperature beyond the scale", { sampling: { temperature: 2.1 } }, "sampling.temperature"],
  ["a bias for no token", { sampling: { logitBias: { the: 1 } } }, "sampling.logitBias.the"],
  ["an empty stop text", { stop: [""] }, "stop.0"],
  ["a schema without end", { format: { kind: "json_schema", schema: { enum: ["x".repeat(70_000)] } } }, "format.schema"],
])("%s is refused with the field's name", (_, change, field) => {
  expect(failureOf(() => parseRequest({ ...CALL, body: { ...GENERATE, ...change } }))).toMatchObject({ code: "invalid_request", field });
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

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
