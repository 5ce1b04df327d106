import { createRandom } from "../../shared/inference/runtime/generate/random.ts";
import type { Attribute, Graph, GraphNode, GraphValue, Weight } from "../../shared/models/onnx-writer.ts";

export type GraphBuilder = ReturnType<typeof createGraphBuilder>;

/** Collects the nodes and random weights of a graph; the same seed makes the same weights. */
export function createGraphBuilder(seed: number) {
  const [nodes, inputs, outputs, weights]: [GraphNode[], GraphValue[], GraphValue[], Weight[]] = [[], [], [], []];
  const random = createRandom(seed, 0);
  let count = 0;
  const name = (stem: string) => `${stem}_${count++}`;
  const weight = (stem: string, data: Weight["data"], dims: readonly number[]) => {
    const called = name(stem);
    weights.push({ name: called, data, dims });
    return called;
  };
  const op = (kind: string, from: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}) => {
    const to = name(kind);
    nodes.push({ op: kind, inputs: from, outputs: [to], attributes });
    return to;
  };
  const made = {
    graph: { nodes, inputs, outputs, weights } satisfies Graph,
    name,
    op,
    node: (node: GraphNode) => void nodes.push(node),
    input: (value: GraphValue) => {
      inputs.push(value);
      return value.name;
    },
    output: (value: GraphValue, from: string) => {
      outputs.push(value);
      nodes.push({ op: "Identity", inputs: [from], outputs: [value.name] });
    },
    ints: (...values: number[]) => weight("ints", BigInt64Array.from(values, BigInt), [values.length]),
    scalar: (value: number) => weight("scalar", BigInt64Array.of(BigInt(value)), []),
    float: (value: number) => weight("float", Float32Array.of(value), []),
    floats: (data: Float32Array, dims: readonly number[]) => weight("floats", data, dims),
    /** Even spread around 0 with this standard deviation. */
    random: (stem: string, dims: readonly number[], deviation: number) => {
      const size = dims.reduce((product, dim) => product * dim, 1);
      return weight(
        stem,
        Float32Array.from({ length: size }, () => (random() - 0.5) * Math.sqrt(12) * deviation),
        dims,
      );
    },
    linear: (from: string, [input, output]: readonly [number, number]): string =>
      op("Add", [op("MatMul", [from, made.random("weight", [input, output], 1 / Math.sqrt(input))]), made.random("bias", [output], 0.02)]),
    norm: (from: string, width: number) =>
      op("LayerNormalization", [
        from,
        made.floats(new Float32Array(width).fill(1), [width]),
        made.floats(new Float32Array(width), [width]),
      ]),
  };
  return made;
}
