import { expect, test } from "vitest";
import { TOY_GRAPH } from "../../test/harness/toy-graph.ts";
import { memoryOf, ownMemory } from "./transfer.ts";

test("an order takes its own token ids along, and not those of the request that they are a part of", () => {
  const whole = Int32Array.from({ length: 10_000 }, (_, at) => at);
  const part = whole.subarray(10, 13);

  const { message, memory } = ownMemory({ kind: "run", graph: TOY_GRAPH, inputs: [{ ids: part, typeIds: whole.subarray(0, 3) }] });

  expect(memory.map(({ byteLength }) => byteLength)).toEqual([12, 12]);
  expect(message).toMatchObject({ kind: "run", inputs: [{ ids: Int32Array.of(10, 11, 12), typeIds: Int32Array.of(0, 1, 2) }] });
  expect(whole).toHaveLength(10_000);
});

test("an answer's memory is handed over once, however many rows share it", () => {
  const shared = new Float32Array(4);
  const rows = [shared.subarray(0, 2), shared.subarray(2)].map((values) => ({ values, width: 2 }));

  expect(memoryOf({ kind: "answer", answer: { kind: "rows", rows, runMs: 1 } })).toEqual([shared.buffer]);
  expect(memoryOf({ kind: "ready" })).toEqual([]);
});
