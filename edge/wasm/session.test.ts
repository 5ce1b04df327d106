import { afterAll, beforeAll, expect, test } from "vitest";
import type { Session, Tensor } from "../../shared/inference/runtime/session.ts";
import { writeModel } from "../../shared/models/onnx-writer.ts";
import { folderOf } from "../../test/harness/inference.ts";
import { watchWasmMemory } from "./memory.ts";

const MIB = 1024 ** 2;
const MEMORY_BYTES_MAX = 24 * MIB;
const TOKENS = 40;
const HIDDEN = 48;
const OUTPUT = "last_hidden_state";
const graphOf = (name: string) => folderOf(`test/fixtures/models/${name}/onnx/model.onnx`);

// Before the runtime is imported, as in a thread.
const memory = watchWasmMemory(MEMORY_BYTES_MAX);
const { loadWasmRuntime, openWasmGraph, openWasmSession } = await import("./session.ts");

let session: Session;
beforeAll(async () => {
  await loadWasmRuntime();
  session = await openWasmSession(graphOf("tiny-bert-embed"));
});
afterAll(() => session.dispose());

function feedsOf(rows: number): Record<string, Tensor> {
  const tensor = (value: bigint): Tensor => ({
    type: "int64",
    data: new BigInt64Array(rows * TOKENS).fill(value),
    dims: [rows, TOKENS],
  });
  return { input_ids: tensor(5n), attention_mask: tensor(1n), token_type_ids: tensor(0n) };
}

test("a graph's inputs and outputs are known by name, type and shape", () => {
  expect(session.inputs).toContainEqual({ name: "input_ids", type: "int64", dims: [undefined, undefined] });
  expect(session.outputs).toEqual([{ name: OUTPUT, type: "float32", dims: [undefined, undefined, HIDDEN] }]);
});

test("a tensor that is given for an output is written into, and must be of its size", async () => {
  const wanted = { type: "float32", data: new Float32Array(TOKENS * HIDDEN), dims: [1, TOKENS, HIDDEN] } as const;
  const small = { ...wanted, data: new Float32Array(HIDDEN), dims: [1, 1, HIDDEN] };

  const { [OUTPUT]: fresh } = await session.run(feedsOf(1), { [OUTPUT]: undefined });
  const { [OUTPUT]: filled } = await session.run(feedsOf(1), { [OUTPUT]: wanted });

  expect(filled).toBe(wanted);
  expect(wanted.data).toEqual(fresh?.data);
  await expect(session.run(feedsOf(1), { [OUTPUT]: small })).rejects.toMatchObject({ code: "engine_failed" });
});

test("weights in a file beside the graph are read", async () => {
  const external = await openWasmSession(graphOf("tiny-bert-external"));

  const { logits } = await external.run(feedsOf(1), { logits: undefined });

  expect(logits?.dims).toEqual([1, 2]);
  await external.dispose();
});

test("float16 goes in and comes out as its bits, bool as bytes, and a tensor may be empty", async () => {
  const half = (name: string, rows: string) => ({ name, type: "float16", dims: [rows, 2] }) as const;
  const kinds = await openWasmGraph(
    writeModel({
      nodes: [
        { op: "Concat", inputs: ["past", "more"], outputs: ["all"], attributes: { axis: { int: 0 } } },
        { op: "Not", inputs: ["flag"], outputs: ["opposite"] },
      ],
      inputs: [half("past", "p"), half("more", "m"), { name: "flag", type: "bool", dims: [1] }],
      outputs: [half("all", "a"), { name: "opposite", type: "bool", dims: [1] }],
      weights: [],
    }),
    "/",
  );
  const more: Tensor = { type: "float16", data: Uint16Array.of(0x3c00, 0x4000), dims: [1, 2] };
  const none: Tensor = { type: "float16", data: new Uint16Array(), dims: [0, 2] };
  const flag: Tensor = { type: "bool", data: Uint8Array.of(1), dims: [1] };

  const results = await kinds.run({ past: none, more, flag }, { all: undefined, opposite: undefined });

  expect(results).toEqual({ all: more, opposite: { type: "bool", data: Uint8Array.of(0), dims: [1] } });
  await kinds.dispose();
});

test("what is no graph is refused with the runtime's own words", async () => {
  const opening = openWasmSession(folderOf("test/fixtures/models/tiny-bert-embed/config.json"));

  await expect(opening).rejects.toMatchObject({ code: "invalid_request" });
});

test("a run that takes more memory than there may be fails, and smaller ones go on", async () => {
  const run = session.run(feedsOf(1_600), { [OUTPUT]: undefined });

  await expect(run).rejects.toMatchObject({ code: "overloaded" });
  expect(memory.heldBytes()).toBeGreaterThan(0);
  expect(memory.heldBytes()).toBeLessThanOrEqual(MEMORY_BYTES_MAX);
  expect((await session.run(feedsOf(1), { [OUTPUT]: undefined }))[OUTPUT]?.dims).toEqual([1, TOKENS, HIDDEN]);
});
