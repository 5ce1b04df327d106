import { beforeAll, describe, expect, test } from "vitest";
import { readTaskModel } from "../../../../test/harness/task-model.ts";
import type { NamedTensor } from "../../contract.ts";
import type { TaskModel } from "../plan.ts";
import { planForward } from "./forward.ts";
import { FORWARD_TOKENS_MAX } from "./limits.ts";

const ids = (values: readonly number[], shape: readonly number[] = [1, values.length], name = "input_ids"): NamedTensor => ({
  name,
  type: "int64",
  shape,
  bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});
const mask = (values: readonly number[], shape?: readonly number[]) => ids(values, shape, "attention_mask");
const int64 = (name: string) => ({ name, type: "int64", dims: [-1, -1] });

let model: TaskModel;
beforeAll(async () => {
  const graph = {
    inputs: [int64("input_ids"), int64("attention_mask")],
    outputs: [
      { name: "logits", type: "float32", dims: [-1, -1, 1200] },
      { name: "hidden", type: "float32", dims: [-1, -1, 48] },
    ],
  };
  model = await readTaskModel("tiny-bert-mlm", { head: "fill", graph });
});

test("tensors pass as they are, and the mask says how many tokens are read", () => {
  const plan = planForward({ task: "forward", tensors: [mask([1, 0], [1, 2]), ids([5, 0])] }, model);

  expect(plan.feeds["input_ids"]).toEqual({ type: "int64", data: BigInt64Array.of(5n, 0n), dims: [1, 2] });
  expect(plan.fetches).toEqual(["logits", "hidden"]);
  expect(plan.inputTokens).toEqual([1]);
});

test("wanted outputs are answered with their bytes, in the order that is asked for", () => {
  const tensors = [ids([5]), mask([1])];
  const plan = planForward({ task: "forward", tensors, outputs: ["hidden", "logits", "hidden"] }, model);
  const computed = { type: "float32", data: Float32Array.of(1), dims: [1] } as const;

  const result = plan.finish({ logits: computed, hidden: computed });

  expect(plan.fetches).toEqual(["hidden", "logits"]);
  expect(result).toEqual({
    task: "forward",
    tensors: ["hidden", "logits"].map((name) => ({ name, type: "float32", shape: [1], bytes: Uint8Array.of(0, 0, 128, 63) })),
  });
});

describe("what could make the graph read outside of its weights, or fail in it, is refused with the tensor's name", () => {
  const long = new Array(65).fill(5);
  test.each<[string, readonly NamedTensor[], string, RegExp]>([
    ["a missing input", [ids([5])], "attention_mask", /is missing/],
    [
      "an unknown one",
      [ids([5]), mask([1]), ids([1], [1, 1], "bbox")],
      "bbox",
      /no input 'bbox'; its inputs are input_ids, attention_mask/,
    ],
    ["one twice", [ids([5]), ids([5]), mask([1])], "input_ids", /given twice/],
    ["another type", [{ ...ids([5]), type: "int32" }, mask([1])], "input_ids", /is int32, and the graph wants int64/],
    ["another rank", [ids([5], [1]), mask([1])], "input_ids", /shape \[1\], and the graph wants \[-1,-1\]/],
    ["fewer elements than the shape says", [ids([5, 6], [1, 3]), mask([1, 1, 1])], "input_ids", /3 elements, and 16 bytes of int64/],
    ["more elements", [ids([5, 6], [1, 1]), mask([1])], "input_ids", /1 elements, and 16 bytes/],
    ["half an element", [{ ...ids([5]), bytes: new Uint8Array(9) }, mask([1])], "input_ids", /9 bytes/],
    ["a negative dimension", [ids([5], [-1, -1]), mask([1])], "input_ids", /whole number above 0/],
    ["no elements", [ids([], [0, 4]), mask([1])], "input_ids", /whole number above 0/],
    ["a huge shape", [ids([5], [2 ** 40, 2 ** 40]), mask([1])], "input_ids", new RegExp(`at most ${FORWARD_TOKENS_MAX}`)],
    ["half a dimension", [ids([5], [1, 1.5]), mask([1])], "input_ids", /whole number above 0/],
    ["lengths that differ", [ids([5, 6]), mask([1])], "attention_mask", /has the shape \[1,1\], and input_ids has \[1,2\]/],
    ["more tokens than the model reads", [ids(long), mask(long.map(() => 1))], "input_ids", /65 tokens, and the model reads at most 64/],
    ["a token id at the vocabulary's end", [ids([1200]), mask([1])], "input_ids", /holds 1200, where only 0 to 1199/],
    ["a negative token id", [ids([-1]), mask([1])], "input_ids", /holds -1/],
    ["a mask of twos", [ids([5]), mask([2])], "attention_mask", /holds 2, where only 0 to 1/],
  ])("%s", (_, tensors, field, message) => {
    expect(() => planForward({ task: "forward", tensors }, model)).toThrow(
      expect.objectContaining({ code: "invalid_request", field, message: expect.stringMatching(message) }),
    );
  });

  test("an unknown output", () => {
    expect(() => planForward({ task: "forward", tensors: [ids([5]), mask([1])], outputs: ["pooler"] }, model)).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        field: "pooler",
        message: expect.stringMatching(/its outputs are logits, hidden/),
      }),
    );
  });

  test("an answer that is larger than anybody meant", () => {
    const shape = [256, 64];
    const many = new Array(256 * 64).fill(1);

    expect(() => planForward({ task: "forward", tensors: [ids(many, shape), mask(many, shape)] }, model)).toThrow(/bytes of answer/);
  });
});
