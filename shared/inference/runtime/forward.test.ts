import { describe, expect, test } from "vitest";
import { createToySession } from "../../../test/harness/task-model.ts";
import { checkRows, type ForwardSettings, forward } from "./forward.ts";
import type { Tensor, TensorShape } from "./session.ts";

const inputOf = (...ids: readonly number[]) => ({ ids: Int32Array.from(ids), typeIds: new Int32Array(ids.length).fill(1) });
const settingsOf = (head: ForwardSettings["head"], more: Partial<ForwardSettings> = {}): ForwardSettings => ({
  head,
  padId: 1,
  firstPosition: 0,
  poolings: ["mean"],
  isBatched: true,
  ...more,
});
const ROWS = { head: "classify", outputs: ["logits"], holds: "rows" } as const;
const TOKENS = { head: "fill", outputs: ["logits"], holds: "tokens" } as const;
const POOLED = { head: "embed", outputs: ["last_hidden_state"], holds: "pooled" } as const;

const shapeOf = (name: string, type: TensorShape["type"] = "int64"): TensorShape => ({ name, type, dims: [undefined, undefined] });
const float32 = (values: readonly number[], dims: readonly number[]): Tensor => ({
  type: "float32",
  data: Float32Array.from(values),
  dims,
});
const numbersOf = (tensor: Tensor | undefined) => Array.from(tensor?.data ?? [], Number);

/** Answers each token with its id and ten times its id. */
const echo = createEcho("logits");
function createEcho(name: string) {
  return ({ input_ids: ids }: Readonly<Record<string, Tensor>>) => {
    const values = numbersOf(ids).flatMap((id) => [id, 10 * id]);
    return { [name]: float32(values, [...(ids?.dims ?? []), 2]) };
  };
}

describe("what a graph is fed", () => {
  test("is padded on the right with the model's own id, and in the types that it wants", async () => {
    const inputs = [shapeOf("input_ids", "int32"), shapeOf("attention_mask"), shapeOf("token_type_ids"), shapeOf("position_ids")];
    const { session, fed } = createToySession({ inputs, outputs: [], compute: echo });

    await forward(session, [inputOf(7, 8, 9), inputOf(5)], settingsOf(TOKENS));

    expect(fed).toHaveLength(1);
    expect(fed[0]?.["input_ids"]).toMatchObject({ type: "int32", dims: [2, 3], data: Int32Array.of(7, 8, 9, 5, 1, 1) });
    expect(fed[0]?.["attention_mask"]).toMatchObject({ type: "int64", data: BigInt64Array.of(1n, 1n, 1n, 1n, 0n, 0n) });
    expect(numbersOf(fed[0]?.["token_type_ids"])).toEqual([1, 1, 1, 1, 0, 0]);
    expect(numbersOf(fed[0]?.["position_ids"])).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test("has positions that begin where the model's family counts from", async () => {
    const { session, fed } = createToySession({ inputs: [shapeOf("input_ids"), shapeOf("position_ids")], outputs: [], compute: echo });

    await forward(session, [inputOf(7, 8, 9)], settingsOf(TOKENS, { firstPosition: 2 }));

    expect(numbersOf(fed[0]?.["position_ids"])).toEqual([2, 3, 4]);
  });

  test("is one input after the other where they must not share a run", async () => {
    const { session, fed } = createToySession({ outputs: [], compute: echo });

    const rows = await forward(session, [inputOf(7, 8), inputOf(5)], settingsOf(TOKENS, { isBatched: false }));

    expect(fed.map(({ input_ids: ids }) => ids?.dims)).toEqual([
      [1, 2],
      [1, 1],
    ]);
    expect(rows.map(({ values }) => [...values])).toEqual([
      [7, 70, 8, 80],
      [5, 50],
    ]);
  });

  test("no inputs are no run", async () => {
    const { session, fed } = createToySession({ outputs: [], compute: echo });

    expect(await forward(session, [], settingsOf(TOKENS))).toEqual([]);
    expect(fed).toEqual([]);
  });
});

describe("what comes back of each input", () => {
  test("is a row for each of its tokens and none for padding, or only those that are kept", async () => {
    const { session } = createToySession({ outputs: [], compute: echo });
    const kept = { ...inputOf(7, 8, 9), keep: Int32Array.of(2) };

    const rows = await forward(session, [kept, inputOf(5)], settingsOf(TOKENS));

    expect(rows).toEqual([
      { values: Float32Array.of(9, 90), width: 2 },
      { values: Float32Array.of(5, 50), width: 2 },
    ]);
  });

  test("is one vector of its own tokens where they are pooled", async () => {
    const { session } = createToySession({ outputs: [], compute: createEcho("last_hidden_state") });

    const [long, short] = await forward(session, [inputOf(2, 4, 6), inputOf(5)], settingsOf(POOLED));

    expect([...(long?.values ?? [])]).toEqual([4, 40].map((value) => expect.closeTo(value, 5)));
    expect(short).toEqual({ values: Float32Array.of(5, 50), width: 2 });
  });

  test("stands side by side where two outputs answer", async () => {
    const compute = () => ({ start_logits: float32([1, 2, 3, 4], [2, 2]), end_logits: float32([5, 6, 7, 8], [2, 2]) });
    const { session } = createToySession({ outputs: [], compute });
    const head = { head: "answer", outputs: ["start_logits", "end_logits"], holds: "tokens" } as const;

    const rows = await forward(session, [inputOf(1, 1), inputOf(1)], settingsOf(head));

    expect(rows).toEqual([
      { values: Float32Array.of(1, 5, 2, 6), width: 2 },
      { values: Float32Array.of(3, 7), width: 2 },
    ]);
  });

  test("is float32 where the graph computes in float16", async () => {
    const logits: Tensor = { type: "float16", data: Uint16Array.of(0x3c00, 0xc000), dims: [1, 2] };
    const { session } = createToySession({ outputs: [], compute: () => ({ logits }) });

    expect(await forward(session, [inputOf(1)], settingsOf(ROWS))).toEqual([{ values: Float32Array.of(1, -2), width: 2 }]);
  });

  test("has memory of its own", async () => {
    const { session } = createToySession({ outputs: [], compute: () => ({ logits: float32([1, 2, 3, 4], [2, 2]) }) });

    const rows = await forward(session, [inputOf(1), inputOf(2)], settingsOf(ROWS));

    expect(rows.map(({ values }) => values.buffer.byteLength)).toEqual([8, 8]);
  });
});

test("numbers that are none are left to whoever asked: they fail nobody else in the batch", async () => {
  const { session } = createToySession({ outputs: [], compute: () => ({ logits: float32([1, Number.NaN, 3, 4], [2, 2]) }) });

  const [bad, good] = await forward(session, [inputOf(1), inputOf(2)], settingsOf(ROWS));

  expect(good).toEqual({ values: Float32Array.of(3, 4), width: 2 });
  expect(() => checkRows(good === undefined ? [] : [good])).not.toThrow();
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    expect(() => checkRows([{ values: Float32Array.of(1, value), width: 2 }])).toThrow(expect.objectContaining({ code: "engine_failed" }));
  expect(bad?.values).toHaveLength(2);
});

describe("an answer that cannot be believed is the engine's failure", () => {
  test.each([
    ["a row too few", { logits: float32([1, 2, 3, 4], [2, 2]) }, /shape \[2,2\] for 1 inputs of 1 tokens/],
    ["nothing", {}, /logits is missing/],
    ["integers", { logits: { type: "int64", data: BigInt64Array.of(1n), dims: [1, 1] } as const }, /logits is int64, not float/],
  ])("%s", async (_, outputs, reason) => {
    const { session } = createToySession({ outputs: [], compute: () => outputs });

    await expect(forward(session, [inputOf(1)], settingsOf(ROWS))).rejects.toMatchObject({
      code: "engine_failed",
      message: expect.stringMatching(reason),
    });
  });
});
