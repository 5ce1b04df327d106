/** Just enough of ONNX's protobuf (onnx.proto3) to write small graphs, and to add to those of others. */

export type GraphNode = {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
};
export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly graph: Graph };
/** A dimension of its own name depends on the input. */
export type GraphValue = { readonly name: string; readonly type: keyof typeof TYPES; readonly dims: readonly (number | string)[] };
export type Weight = { readonly name: string; readonly data: Float32Array | BigInt64Array; readonly dims: readonly number[] };
export type Graph = {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly weights: readonly Weight[];
};

/** `TensorProto.DataType`. */
const TYPES = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
/** `AttributeProto.AttributeType`. */
const KINDS = { float: 1, int: 2, graph: 5, ints: 7 } as const;
const IR_VERSION = 9;
const OPSET = 17;
/** Field 2 as text; a graph that is added to keeps its own name. */
const NAME_TAG = (2 << 3) | 2;
export const MICROSOFT = "com.microsoft";

/** A whole model file. */
export function writeModel(graph: Graph): Uint8Array {
  const opset = (domain: string, version: number) => message(8, [text(1, domain), integer(2, version)]);
  return join([integer(1, IR_VERSION), opset("", OPSET), opset(MICROSOFT, 1), message(7, graphFields(graph))]);
}

/** More nodes, inputs, outputs and weights for a model's graph: protobuf joins messages that follow each other, so these bytes are written behind the model's. */
export function writeAddition(graph: Graph): Uint8Array {
  return message(
    7,
    graphFields(graph).filter((field) => field[0] !== NAME_TAG),
  );
}

function graphFields({ nodes, weights, inputs, outputs }: Graph): Uint8Array[] {
  return [
    ...nodes.map((node) => message(1, nodeFields(node))),
    text(2, "graph"),
    ...weights.map((weight) => message(5, weightFields(weight))),
    ...inputs.map((value) => message(11, valueFields(value))),
    ...outputs.map((value) => message(12, valueFields(value))),
  ];
}

function nodeFields({ op, inputs, outputs, attributes = {}, domain = "" }: GraphNode): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, [text(1, name), ...attributeFields(value)])),
    text(7, domain),
  ];
}

function attributeFields(value: Attribute): Uint8Array[] {
  if ("int" in value) return [integer(3, value.int), integer(20, KINDS.int)];
  if ("ints" in value) return [...value.ints.map((each) => integer(8, each)), integer(20, KINDS.ints)];
  if ("graph" in value) return [message(6, graphFields(value.graph)), integer(20, KINDS.graph)];
  const bytes = new Uint8Array(Float32Array.of(value.float).buffer);
  return [join([varint((2 << 3) | 5), bytes]), integer(20, KINDS.float)];
}

function weightFields({ name, data, dims }: Weight): Uint8Array[] {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof Float32Array ? TYPES.float32 : TYPES.int64;
  return [...dims.map((dim) => integer(1, dim)), integer(2, type), text(8, name), message(9, [bytes])];
}

function valueFields({ name, type, dims }: GraphValue): Uint8Array[] {
  const shape = dims.map((dim) => message(1, [typeof dim === "number" ? integer(1, dim) : text(2, dim)]));
  return [text(1, name), message(2, [message(1, [integer(1, TYPES[type]), message(2, shape)])])];
}

const integer = (field: number, value: number) => join([varint(field << 3), varint(value)]);
const text = (field: number, value: string) => message(field, [new TextEncoder().encode(value)]);
function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = join(parts);
  return join([varint((field << 3) | 2), varint(body.length), body]);
}

/** Negative numbers take ten bytes, as in int64. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  bytes.push(Number(left));
  return Uint8Array.from(bytes);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
