import { writeModel } from "../../shared/models/onnx-writer.ts";
import { createGraphBuilder, type GraphBuilder } from "./graph-builder.ts";

/** An encoder of random weights in the form of optimum's exporter. */
export type EncoderOptions = {
  readonly family: "bert" | "roberta" | "albert" | "electra";
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  /** ALBERT and ELECTRA may have narrower word embeddings, which a matrix widens. */
  readonly embeddingWidth?: number;
  readonly vocabSize: number;
  /** Rows of the position embeddings. */
  readonly positionsMax: number;
  readonly padId: number;
  readonly head: EncoderHead;
};

/** What the graph answers: `logits` of a text or of each token, or where answers start and end. */
export type EncoderHead = { readonly kind: "classify" | "tag"; readonly labels: number } | { readonly kind: "answer" | "fill" | "detect" };

const SEED = 4;
const MLP_FACTOR = 4;
const TYPES = 2;
const FLOAT32 = 1;
const INT64 = 7;
const IMPOSSIBLE = -3.4e38;

/** Writes the graph: inputs `[batch, sequence]` of int64; outputs as the exporter names them. */
export function writeEncoder(options: EncoderOptions): Uint8Array {
  const made = createGraphBuilder(SEED);
  const [ids, mask] = ["input_ids", "attention_mask"].map((name) => inputOf(made, name));
  const attend = attentionOf(made, options, mask ?? "");
  let hidden = embeddingsOf(made, options, ids ?? "");
  for (const layer of layersOf(made, options)) {
    hidden = made.norm(made.op("Add", [hidden, attend(hidden, layer)]), options.width);
    hidden = made.norm(made.op("Add", [hidden, layer.narrow(gelu(made, layer.widen(hidden)))]), options.width);
  }
  answerOf(made, options, hidden);
  return writeModel(made.graph);
}

const inputOf = (made: GraphBuilder, name: string) => made.input({ name, type: "int64", dims: ["batch", "sequence"] });

function embeddingsOf(made: GraphBuilder, options: EncoderOptions, ids: string): string {
  const { family, width, embeddingWidth = width, vocabSize, positionsMax } = options;
  const table = (name: string, rows: number, places: string) =>
    made.op("Gather", [made.random(name, [rows, embeddingWidth], 0.05), places]);
  const words = table("words", vocabSize, ids);
  const placed = made.op("Add", [words, table("positions", positionsMax, positionsOf(made, options, ids))]);
  const typed = family === "roberta" ? placed : made.op("Add", [placed, table("types", TYPES, inputOf(made, "token_type_ids"))]);
  const normed = made.norm(typed, embeddingWidth);
  return embeddingWidth === width ? normed : made.linear(normed, [embeddingWidth, width]);
}

/** RoBERTa counts the tokens that are not padding, from the padding's id on (transformers, `create_position_ids_from_input_ids`). */
function positionsOf(made: GraphBuilder, { family, padId }: EncoderOptions, ids: string): string {
  if (family === "roberta") {
    const isText = made.op("Cast", [made.op("Not", [made.op("Equal", [ids, made.scalar(padId)])])], { to: { int: INT64 } });
    const counted = made.op("Mul", [made.op("CumSum", [isText, made.scalar(1)]), isText]);
    return made.op("Add", [counted, made.scalar(padId)]);
  }
  const length = made.op("Gather", [made.op("Shape", [ids]), made.scalar(1)]);
  return made.op("Unsqueeze", [made.op("Range", [made.scalar(0), length, made.scalar(1)]), made.ints(0)]);
}

type Linear = (from: string) => string;
type Layer = {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly out: Linear;
  readonly widen: Linear;
  readonly narrow: Linear;
};

/** ALBERT's layers are one layer, run several times. */
function layersOf(made: GraphBuilder, options: EncoderOptions): Layer[] {
  if (options.family === "albert") return new Array<Layer>(options.layers).fill(layerOf(made, options));
  return Array.from({ length: options.layers }, () => layerOf(made, options));
}

function layerOf(made: GraphBuilder, { width }: EncoderOptions): Layer {
  const linear = (input: number, output: number): Linear => {
    const weight = made.random("weight", [input, output], 1 / Math.sqrt(input));
    const bias = made.random("bias", [output], 0.02);
    return (from) => made.op("Add", [made.op("MatMul", [from, weight]), bias]);
  };
  return {
    query: linear(width, width),
    key: linear(width, width),
    value: linear(width, width),
    out: linear(width, width),
    widen: linear(width, MLP_FACTOR * width),
    narrow: linear(MLP_FACTOR * width, width),
  };
}

/** Every token looks at all that the mask allows. */
function attentionOf(made: GraphBuilder, { heads, width }: EncoderOptions, mask: string) {
  const allowed = made.op("Cast", [made.op("Unsqueeze", [mask, made.ints(1, 2)])], { to: { int: FLOAT32 } });
  const bias = made.op("Mul", [made.op("Sub", [made.float(1), allowed]), made.float(IMPOSSIBLE)]);
  const split = (from: string, perm: readonly number[]) =>
    made.op("Transpose", [made.op("Reshape", [from, made.ints(0, 0, heads, width / heads)])], { perm: { ints: perm } });
  return (hidden: string, { query, key, value, out }: Layer): string => {
    const scores = made.op("MatMul", [split(query(hidden), [0, 2, 1, 3]), split(key(hidden), [0, 2, 3, 1])]);
    const scaled = made.op("Add", [made.op("Div", [scores, made.float(Math.sqrt(width / heads))]), bias]);
    const mixed = made.op("MatMul", [made.op("Softmax", [scaled], { axis: { int: -1 } }), split(value(hidden), [0, 2, 1, 3])]);
    return out(made.op("Reshape", [made.op("Transpose", [mixed], { perm: { ints: [0, 2, 1, 3] } }), made.ints(0, 0, width)]));
  };
}

/** With the error function, as BERT has it. */
function gelu(made: GraphBuilder, x: string): string {
  const risen = made.op("Add", [made.op("Erf", [made.op("Div", [x, made.float(Math.SQRT2)])]), made.float(1)]);
  return made.op("Mul", [made.op("Mul", [x, risen]), made.float(0.5)]);
}

function answerOf(made: GraphBuilder, options: EncoderOptions, hidden: string): void {
  const type = "float32";
  for (const { name, dims, from } of outputsOf(made, options, hidden)) made.output({ name, type, dims }, from);
}

type Output = { readonly name: string; readonly dims: readonly (string | number)[]; readonly from: string };

function outputsOf(made: GraphBuilder, { head, width, vocabSize }: EncoderOptions, hidden: string): Output[] {
  const [tokens, logits] = [["batch", "sequence"], "logits"];
  const dense = (from: string) => made.linear(from, [width, width]);
  const column = (from: string, index: number) => made.op("Gather", [from, made.scalar(index)], { axis: { int: -1 } });
  switch (head.kind) {
    case "classify": {
      const first = made.op("Tanh", [dense(made.op("Gather", [hidden, made.scalar(0)], { axis: { int: 1 } }))]);
      return [{ name: logits, dims: ["batch", head.labels], from: made.linear(first, [width, head.labels]) }];
    }
    case "tag":
      return [{ name: logits, dims: [...tokens, head.labels], from: made.linear(hidden, [width, head.labels]) }];
    case "fill": {
      const risen = made.norm(gelu(made, dense(hidden)), width);
      return [{ name: logits, dims: [...tokens, vocabSize], from: made.linear(risen, [width, vocabSize]) }];
    }
    case "detect":
      return [{ name: logits, dims: tokens, from: column(made.linear(gelu(made, dense(hidden)), [width, 1]), 0) }];
    case "answer": {
      const both = made.linear(hidden, [width, 2]);
      return ["start_logits", "end_logits"].map((name, index) => ({ name, dims: tokens, from: column(both, index) }));
    }
  }
}
