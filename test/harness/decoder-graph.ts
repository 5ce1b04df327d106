import { type Attribute, type GraphNode, MICROSOFT, type Weight, writeModel } from "../../shared/models/onnx-writer.ts";
import { createGraphBuilder, type GraphBuilder } from "./graph-builder.ts";

/** A decoder of random weights in the form of some exporter. */
export type DecoderOptions = {
  readonly layers: number;
  readonly heads: number;
  /** Of grouped-query attention; absent, as many as heads. */
  readonly kvHeads?: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly positionsMax: number;
  /** `concat` is GPT-2's, past and new keys side by side; `grouped` is ONNX Runtime's own operator with rotary positions. */
  readonly attention: "concat" | "grouped";
  readonly cacheType?: "float32" | "float16";
  /** Whether positions are an input; else the graph counts them from the length of its past. */
  readonly hasPositionIds?: boolean;
  /** Whether a flag tells the graph to ignore its past (a merged decoder). */
  readonly hasCacheBranch?: boolean;
  readonly hasLogitsToKeep?: boolean;
};

const SEED = 4;
const MLP_FACTOR = 4;
const FLOAT32 = 1;
const INT32 = 6;
const BOOL = 9;
const FLOAT16 = 10;
const FAR = 2 ** 62;

/** Writes the graph: the names and shapes of its inputs and outputs are optimum's. */
export function writeDecoder(options: DecoderOptions): Uint8Array {
  const made = createGraphBuilder(SEED);
  const { headDim, vocabSize, heads, positionsMax } = options;
  const width = heads * headDim;
  const ids = made.input({ name: "input_ids", type: "int64", dims: ["batch", "sequence"] });
  const mask = made.input({ name: "attention_mask", type: "int64", dims: ["batch", "total"] });
  const places = options.attention === "concat" ? positionsOf(made, options) : undefined;
  let hidden = made.op("Gather", [made.random("wte", [vocabSize, width], 0.4), ids]);
  if (places !== undefined) hidden = made.op("Add", [hidden, made.op("Gather", [made.random("wpe", [positionsMax, width], 0.2), places])]);
  const attend = options.attention === "concat" ? concatAttention(made, options, { ids, mask }) : groupedAttention(made, options, mask);
  for (let layer = 0; layer < options.layers; layer += 1) {
    const attended = made.linear(attend(layer, made.linear(made.norm(hidden, width), [width, qkvWidth(options)])), [width, width]);
    hidden = made.op("Add", [hidden, attended]);
    const wide = gelu(made, made.linear(made.norm(hidden, width), [width, MLP_FACTOR * width]));
    hidden = made.op("Add", [hidden, made.linear(wide, [MLP_FACTOR * width, width])]);
  }
  const last = options.hasLogitsToKeep === true ? keepLast(made, made.norm(hidden, width)) : made.norm(hidden, width);
  made.output(
    { name: "logits", type: "float32", dims: ["batch", "sequence", vocabSize] },
    made.op("MatMul", [last, made.random("head", [width, vocabSize], 0.4)]),
  );
  return writeModel(made.graph);
}

const qkvWidth = ({ heads, kvHeads = heads, headDim }: DecoderOptions) => (heads + 2 * kvHeads) * headDim;

function positionsOf(made: GraphBuilder, { hasPositionIds = true }: DecoderOptions): string {
  if (hasPositionIds) return made.input({ name: "position_ids", type: "int64", dims: ["batch", "sequence"] });
  const past = made.op("Gather", [made.op("Shape", ["past_key_values.0.key"]), made.scalar(2)]);
  const size = made.op("Gather", [made.op("Shape", ["input_ids"]), made.scalar(1)]);
  const range = made.op("Range", [past, made.op("Add", [past, size]), made.scalar(1)]);
  return made.op("Unsqueeze", [range, made.ints(0)]);
}

/** GPT-2's gelu_new. */
function gelu(made: GraphBuilder, x: string): string {
  const cubed = made.op("Mul", [made.op("Mul", [made.op("Mul", [x, x]), x]), made.float(0.044715)]);
  const inner = made.op("Mul", [made.op("Add", [x, cubed]), made.float(Math.sqrt(2 / Math.PI))]);
  return made.op("Mul", [made.op("Mul", [x, made.float(0.5)]), made.op("Add", [made.op("Tanh", [inner]), made.float(1)])]);
}

function keepLast(made: GraphBuilder, hidden: string): string {
  const kept = made.input({ name: "num_logits_to_keep", type: "int64", dims: [] });
  const start = made.op("Neg", [made.op("Reshape", [kept, made.ints(1)])]);
  return made.op("Slice", [hidden, start, made.ints(FAR), made.ints(1)]);
}

type Attend = (layer: number, qkv: string) => string;

/** Where a query may look: at keys up to its own place that the mask allows. */
function concatAttention(made: GraphBuilder, options: DecoderOptions, { ids, mask }: { ids: string; mask: string }): Attend {
  const { heads, headDim } = options;
  const size = made.op("Gather", [made.op("Shape", [ids]), made.scalar(1)]);
  const total = made.op("Gather", [made.op("Shape", [mask]), made.scalar(1)]);
  const keys = made.op("Range", [made.scalar(0), total, made.scalar(1)]);
  const queries = made.op("Unsqueeze", [made.op("Range", [made.op("Sub", [total, size]), total, made.scalar(1)]), made.ints(1)]);
  const isBefore = made.op("LessOrEqual", [keys, queries]);
  const isAllowed = made.op("Cast", [made.op("Unsqueeze", [mask, made.ints(1, 2)])], { to: { int: BOOL } });
  const bias = made.op("Where", [made.op("And", [isBefore, isAllowed]), made.float(0), made.float(-3.4e38)]);
  const flag = options.hasCacheBranch === true ? made.input({ name: "use_cache_branch", type: "bool", dims: [1] }) : undefined;
  return (layer, qkv) => {
    const parts = [0, 1, 2].map(() => made.name("part"));
    made.node({
      op: "Split",
      inputs: [qkv, made.ints(heads * headDim, heads * headDim, heads * headDim)],
      outputs: parts,
      attributes: { axis: { int: 2 } },
    });
    const [query = "", key = "", value = ""] = parts.map((part) =>
      made.op("Transpose", [made.op("Reshape", [part, made.ints(0, 0, heads, headDim)])], { perm: { ints: [0, 2, 1, 3] } }),
    );
    const allKeys = joinPast(made, options, { name: `${layer}.key`, added: key, flag });
    const allValues = joinPast(made, options, { name: `${layer}.value`, added: value, flag });
    const scores = made.op("MatMul", [query, made.op("Transpose", [allKeys], { perm: { ints: [0, 1, 3, 2] } })]);
    const scaled = made.op("Add", [made.op("Mul", [scores, made.float(1 / Math.sqrt(headDim))]), bias]);
    const mixed = made.op("MatMul", [made.op("Softmax", [scaled], { axis: { int: -1 } }), allValues]);
    return made.op("Reshape", [made.op("Transpose", [mixed], { perm: { ints: [0, 2, 1, 3] } }), made.ints(0, 0, heads * headDim)]);
  };
}

function joinPast(
  made: GraphBuilder,
  options: DecoderOptions,
  { name, added, flag }: { name: string; added: string; flag: string | undefined },
): string {
  const { heads, headDim, cacheType = "float32" } = options;
  const past = made.input({ name: `past_key_values.${name}`, type: cacheType, dims: ["batch", heads, "past", headDim] });
  const used = flag === undefined ? past : ignoreUnless(made, flag, past);
  const to = cacheType === "float16" ? FLOAT16 : FLOAT32;
  const all = made.op("Concat", [used, made.op("Cast", [added], { to: { int: to } })], { axis: { int: 2 } });
  made.output({ name: `present.${name}`, type: cacheType, dims: ["batch", heads, "total", headDim] }, all);
  return made.op("Cast", [all], { to: { int: FLOAT32 } });
}

/** A merged decoder's first step has a past that it must not look at. */
function ignoreUnless(made: GraphBuilder, flag: string, past: string): string {
  const branch = (nodes: readonly GraphNode[], weights: readonly Weight[], output: string): Attribute => ({
    graph: { nodes, weights, inputs: [], outputs: [{ name: output, type: "float32", dims: ["b", "h", "p", "d"] }] },
  });
  const [kept, none, zero, axis] = [made.name("kept"), made.name("none"), made.name("zero"), made.name("axis")];
  const integers = (name: string, value: number): Weight => ({ name, data: BigInt64Array.of(BigInt(value)), dims: [1] });
  return made.op("If", [flag], {
    then_branch: branch([{ op: "Identity", inputs: [past], outputs: [kept] }], [], kept),
    else_branch: branch([{ op: "Slice", inputs: [past, zero, zero, axis], outputs: [none] }], [integers(zero, 0), integers(axis, 2)], none),
  });
}

/** Each row's length is what its mask sums up to. */
function groupedAttention(made: GraphBuilder, options: DecoderOptions, mask: string): Attend {
  const { heads, kvHeads = heads, headDim, positionsMax } = options;
  const sums = made.op("ReduceSum", [mask, made.ints(1)], { keepdims: { int: 0 } });
  const lengths = made.op("Cast", [made.op("Sub", [sums, made.ints(1)])], { to: { int: INT32 } });
  const total = made.op("Cast", [made.op("Gather", [made.op("Shape", [mask]), made.scalar(1)])], { to: { int: INT32 } });
  const angles = (of: (angle: number) => number) =>
    made.floats(
      Float32Array.from({ length: (positionsMax * headDim) / 2 }, (_, at) => {
        const [place, pair] = [Math.floor(at / (headDim / 2)), at % (headDim / 2)];
        return of(place / 10_000 ** ((2 * pair) / headDim));
      }),
      [positionsMax, headDim / 2],
    );
  const [cosines, sines] = [angles(Math.cos), angles(Math.sin)];
  return (layer, qkv) => {
    const [keys, values] = ["key", "value"].map((kind) => {
      const value = (stem: string, length: string) =>
        ({ name: `${stem}.${layer}.${kind}`, type: "float32", dims: ["batch", kvHeads, length, headDim] }) as const;
      made.graph.outputs.push(value("present", "total"));
      return made.input(value("past_key_values", "past"));
    });
    const output = made.name("attention");
    made.node({
      op: "GroupQueryAttention",
      domain: MICROSOFT,
      inputs: [qkv, "", "", keys ?? "", values ?? "", lengths, total, cosines, sines],
      outputs: [output, `present.${layer}.key`, `present.${layer}.value`],
      attributes: { num_heads: { int: heads }, kv_num_heads: { int: kvHeads }, do_rotary: { int: 1 } },
    });
    return output;
  };
}
