import fc from "fast-check";
import { expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { joinFrame, parseHeaderLength } from "../../../shared/oip/frame.ts";
import { joinTexts } from "../../../shared/oip/payload.ts";
import { CLASSIFY } from "../../../test/harness/serving.ts";
import { planInfer } from "./plan.ts";
import { readAsked } from "./request.ts";

const VERSION: ReadyVersion = {
  ...{ model: "sentiment", number: 1, contentDigest: "", manifestDigest: "", state: "ready", files: [] },
  ...{ placement: { pool: "cpu", dtype: "fp32" }, facts: CLASSIFY },
};

const TEXTS = joinTexts(["a weir", "ein Wehr 🌊"]);
const IDS = new Uint8Array(BigInt64Array.of(7n, 8n).buffer);
const HONEST = [
  joinFrame({ inputs: [{ name: "text", shape: [2], datatype: "BYTES", parameters: { binary_data_size: TEXTS.byteLength } }] }, [TEXTS]),
  joinFrame(
    {
      inputs: ["input_ids", "attention_mask"].map((name) => ({
        name,
        shape: [1, 2],
        datatype: "INT64",
        parameters: { binary_data_size: 16 },
      })),
      outputs: [{ name: "logits", parameters: { classification: 2 } }],
    },
    [IDS, IDS],
  ),
  joinFrame({ id: "x", parameters: { truncate: false }, inputs: [{ name: "text", shape: [1, 1], datatype: "BYTES", data: [["x"]] }] }, []),
];

/** What becomes of a body: the task that it asks, or the code of its refusal. Anything else is thrown on. */
function outcomeOf(body: Uint8Array, length: string): string {
  try {
    return planInfer(VERSION, readAsked(body, parseHeaderLength(length))).request.task;
  } catch (error) {
    if (error instanceof Failure && error.status < 500) return error.code;
    throw error;
  }
}

test("honest bodies are what they say", () => {
  expect(HONEST.map(({ body, headerBytes }) => outcomeOf(body, String(headerBytes)))).toEqual(["classify", "forward", "classify"]);
});

test("whatever happens to an honest body on its way, it is a request or a refusal, never a crash", () => {
  const damage = fc.record({
    which: fc.constantFrom(...HONEST),
    flips: fc.array(fc.tuple(fc.nat(1_000), fc.nat(255)), { maxLength: 4 }),
    cut: fc.option(fc.nat(200), { freq: 3 }),
    tail: fc.uint8Array({ maxLength: 8 }),
    shift: fc.integer({ min: -3, max: 3 }),
  });
  const undamaged = (
    which: (typeof HONEST)[number],
  ): [{ which: typeof which; flips: []; cut: null; tail: Uint8Array<ArrayBuffer>; shift: 0 }] => [
    { which, flips: [], cut: null, tail: new Uint8Array(), shift: 0 },
  ];
  const seen = new Set<string>();

  fc.assert(
    fc.property(damage, ({ which, flips, cut, tail, shift }) => {
      const body = Buffer.concat([which.body.subarray(0, cut ?? which.body.byteLength), tail]);
      for (const [place, byte] of flips) if (place < body.byteLength) body[place] = byte;
      seen.add(outcomeOf(body, String(Math.max(0, which.headerBytes + shift))));
    }),
    { numRuns: 3_000, examples: HONEST.map(undamaged) },
  );

  expect([...seen].sort()).toEqual(["classify", "forward", "invalid_request"]);
});

test("any JSON that is no request is refused", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const body = Buffer.from(json);
      expect(outcomeOf(body, String(body.byteLength))).toBe("invalid_request");
    }),
    { numRuns: 500 },
  );
});

test("a document nested beyond every stack is refused like any other", () => {
  const deep = Buffer.from(`{"inputs":${"[".repeat(60_000)}9007199254740993${"]".repeat(60_000)}}`);

  expect(outcomeOf(deep, String(deep.byteLength))).toBe("invalid_request");
});
