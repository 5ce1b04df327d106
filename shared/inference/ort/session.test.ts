import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeDecoder } from "../../../test/harness/decoder-graph.ts";
import { folderOf } from "../../../test/harness/inference.ts";
import { writeModel } from "../../models/onnx-writer.ts";
import type { Tensor } from "../runtime/session.ts";
import { openDecoderSession } from "./decoder-session.ts";
import { openGraph, openSession } from "./session.ts";

const OPTIONS = { threads: 1, provider: "cpu" } as const;
const EXTERNAL = folderOf("test/fixtures/models/tiny-bert-external/onnx");
const SMALL = { layers: 1, heads: 2, headDim: 8, vocabSize: 50, positionsMax: 16, attention: "concat" } as const;

const folder = mkdtempSync(join(tmpdir(), "weir-session-"));
afterAll(() => rmSync(folder, { recursive: true }));
const written = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe("tensors of every kind", () => {
  const half = (name: string, rows: string) => ({ name, type: "float16", dims: [rows, 2] }) as const;
  const graph = writeModel({
    nodes: [
      { op: "Concat", inputs: ["past", "more"], outputs: ["all"], attributes: { axis: { int: 0 } } },
      { op: "Not", inputs: ["flag"], outputs: ["opposite"] },
    ],
    inputs: [half("past", "p"), half("more", "m"), { name: "flag", type: "bool", dims: [1] }],
    outputs: [half("all", "a"), { name: "opposite", type: "bool", dims: [1] }],
    weights: [],
  });
  const path = written("kinds.onnx", graph);
  const more: Tensor = { type: "float16", data: Uint16Array.of(0x3c00, 0x4000), dims: [1, 2] };
  const flag: Tensor = { type: "bool", data: Uint8Array.of(1), dims: [1] };

  test("float16 goes in and comes out as bits, bool as bytes, and nothing may be empty for a reason", async () => {
    const session = await openSession(path, OPTIONS);
    const none: Tensor = { type: "float16", data: new Uint16Array(), dims: [0, 2] };

    const results = await session.run({ past: none, more, flag }, { all: undefined, opposite: undefined });

    expect(results).toEqual({ all: more, opposite: { type: "bool", data: Uint8Array.of(0), dims: [1] } });
    expect(session.inputs[0]).toEqual({ name: "past", type: "float16", dims: [undefined, 2] });
    await session.dispose();
  });

  test("an output is written into the tensor that is given for it, and others are not fetched", async () => {
    const session = await openSession(path, OPTIONS);
    const all: Tensor = { type: "float16", data: new Uint16Array(4), dims: [2, 2] };

    const results = await session.run({ past: more, more, flag }, { all });

    expect(Object.keys(results)).toEqual(["all"]);
    expect(results["all"]).toBe(all);
    expect([...all.data]).toEqual([0x3c00, 0x4000, 0x3c00, 0x4000]);
    await session.dispose();
  });

  test("a tensor of the wrong size, or none, is engine_failed, and the session goes on", async () => {
    const session = await openSession(path, OPTIONS);

    await expect(session.run({ past: more, more }, { all: undefined })).rejects.toMatchObject({ code: "engine_failed" });
    await expect(session.run({ past: { ...more, dims: [3, 2] }, more, flag }, { all: undefined })).rejects.toMatchObject({
      code: "engine_failed",
    });
    await expect(session.run({ past: more, more, flag }, { all: more })).rejects.toMatchObject({ code: "engine_failed" });
    await expect(session.run({ past: more, more, flag }, { nothing: undefined })).rejects.toMatchObject({ code: "engine_failed" });
    expect(await session.run({ past: more, more, flag }, { opposite: undefined })).toHaveProperty("opposite");
    await session.dispose();
  });

  test("what is no graph is refused without the place on the disk", async () => {
    const opened = openSession(written("hello.onnx", Buffer.from("hello")), OPTIONS);

    await expect(opened).rejects.toMatchObject({ code: "invalid_request", message: expect.not.stringContaining(folder) });
  });
});

describe("a decoder's session", () => {
  test("gives new tokens alone beside the whole cache", async () => {
    const session = await openDecoderSession(written("decoder.onnx", writeDecoder(SMALL)), OPTIONS);
    const integers = (...values: number[]): Tensor => ({
      type: "int64",
      data: BigInt64Array.from(values, BigInt),
      dims: [1, values.length],
    });
    const past: Tensor = { type: "float32", data: new Float32Array(2 * 3 * 8).fill(0.5), dims: [1, 2, 3, 8] };
    const places: Tensor = { ...integers(0, 0, 3, 0, 1, 3), dims: [1, 2, 1, 3] };
    const kept: Tensor = { ...integers(0), dims: [1] };
    const asked = { input_ids: integers(7), position_ids: integers(3), attention_mask: integers(1, 1, 1, 1) };
    const feeds = { ...asked, weir_places: places, weir_kept: kept };
    const pasts = { "past_key_values.0.key": past, "past_key_values.0.value": past };

    const results = await session.run({ ...feeds, ...pasts }, { "present.0.key": undefined, "weir_present.0.key": undefined });

    const [whole, picked] = [results["present.0.key"], results["weir_present.0.key"]];
    expect(picked?.dims).toEqual([1, 2, 1, 8]);
    expect([...(picked?.data ?? [])]).toEqual([...(whole?.data.slice(24, 32) ?? []), ...(whole?.data.slice(56, 64) ?? [])]);
    await session.dispose();
  });

  test("a graph in memory finds the weights beside its file", async () => {
    const session = await openGraph(readFileSync(join(EXTERNAL, "model.onnx")), EXTERNAL, OPTIONS);

    expect(session.outputs.map(({ name }) => name)).toContain("logits");
    await session.dispose();
  });
});
