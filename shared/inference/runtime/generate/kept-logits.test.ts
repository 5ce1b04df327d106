import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeDecoder } from "../../../../test/harness/decoder-graph.ts";
import { nodesOf } from "../../../models/onnx-nodes.ts";
import { type GraphNode, writeAddition, writeModel } from "../../../models/onnx-writer.ts";
import { openDecoderSession } from "../../ort/decoder-session.ts";
import { type Decoder, readDecoder } from "./decoder.ts";
import { keepLogits } from "./kept-logits.ts";
import { createLane, resizeLane } from "./lane.ts";
import { type Logits, logitsAt, runRows } from "./run.ts";

const TOKENS = 16;

const folder = mkdtempSync(join(tmpdir(), "weir-kept-"));
afterAll(() => rmSync(folder, { recursive: true }));

const NORM: GraphNode = { op: "LayerNormalization", inputs: ["x", "scale"], outputs: ["hidden"], attributes: { axis: { int: -1 } } };
const PROJECTION: GraphNode = { op: "MatMul", inputs: ["hidden", "head"], outputs: ["logits"] };

function modelOf(...nodes: GraphNode[]): Uint8Array {
  const weights = [{ name: "head", data: new Float32Array(6), dims: [2, 3] }];
  return writeModel({ nodes, weights, inputs: [{ name: "x", type: "float32", dims: ["batch", "tokens", 2] }], outputs: [] });
}

test("the last projection reads the positions that are kept, and nothing else of the file changes", () => {
  const model = modelOf(NORM, { op: "Relu", inputs: ["hidden"], outputs: ["other"] }, PROJECTION);

  const kept = keepLogits(model);

  const nodes =
    kept === undefined ? [] : nodesOf(Buffer.concat([kept.model, writeAddition({ ...kept.addition, outputs: [], weights: [] })]));
  const inputsOf = (op: string) => nodes.find((node) => node.op === op)?.inputs.map(({ name }) => name);
  expect(inputsOf("Gather")).toEqual(["hidden", "weir_kept"]);
  expect(inputsOf("MatMul")).toEqual([nodes.find(({ op }) => op === "Gather")?.outputs[0], "head"]);
  expect(inputsOf("Relu")).toEqual(["hidden"]);
  expect(kept?.model.length).toBe(model.length);
});

test("a cast between projection and logits is passed", () => {
  const cast: GraphNode = { op: "Cast", inputs: ["wide"], outputs: ["logits"], attributes: { to: { int: 1 } } };

  expect(keepLogits(modelOf(NORM, { ...PROJECTION, outputs: ["wide"] }, cast))).toBeDefined();
});

test.each<[string, GraphNode[]]>([
  ["logits that some other node makes", [NORM, { ...PROJECTION, op: "Gemm" }]],
  ["a projection of the graph's own input", [{ ...PROJECTION, inputs: ["x", "head"] }]],
  ["no logits", [NORM]],
])("a graph with %s is left as it is", (_, nodes) => {
  expect(keepLogits(modelOf(...nodes))).toBeUndefined();
});

test("a name that is taken is not taken again", () => {
  const taken: GraphNode = { op: "Relu", inputs: ["hidden"], outputs: ["hidde~"] };

  const kept = keepLogits(modelOf(NORM, taken, PROJECTION));

  expect(kept?.addition.nodes[0]?.outputs).toEqual(["hidde^"]);
});

test("the last position's logits are the same whether all are computed or only those", async () => {
  const path = join(folder, "decoder.onnx");
  const shape = { layers: 2, heads: 4, headDim: 16, vocabSize: 1_000, positionsMax: 256, attention: "concat" } as const;
  writeFileSync(path, writeDecoder(shape));
  const session = await openDecoderSession(path, { threads: 1, provider: "cpu" });
  const decoder = readDecoder(session, { tokensMax: 256 });

  const [last, all] = [await readAlone(decoder, "last"), await readAlone(decoder, "all")];

  expect([last.positions, all.positions]).toEqual([1, TOKENS]);
  const [one, other] = [logitsAt(last, 0, 1), logitsAt(all, 0, 1)];
  expect(Math.max(...one.map((value, at) => Math.abs(value - (other[at] ?? 0))))).toBeLessThan(1e-4);
  await session.dispose();
});

async function readAlone(decoder: Decoder, wanted: "last" | "all"): Promise<Logits> {
  const lane = createLane(decoder);
  resizeLane(lane, { rows: 1, capacity: 64 });
  lane.rows = 1;
  const tokens = Int32Array.from({ length: TOKENS }, (_, at) => 1 + at * 31);
  const logits = await runRows("packed", { lane, first: 0, lengths: [0], tokens: [tokens], logits: wanted });
  if (logits === undefined) throw new Error("a run that is asked for logits gives them");
  return logits;
}
