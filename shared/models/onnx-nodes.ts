/** A node of a graph as far as names go; each input's name lies in the file at `[start, start + length)`. */
export type NodeNames = {
  readonly op: string;
  readonly inputs: readonly { readonly name: string; readonly start: number; readonly length: number }[];
  readonly outputs: readonly string[];
};

/** Field numbers of onnx.proto3. */
const GRAPH = 7;
const NODE = 1;
const NODE_FIELDS = { input: 1, output: 2, op: 4 } as const;
const NODES_MAX = 200_000;

/** The nodes of a model file that some ONNX runtime has loaded before: what is malformed throws a plain `Error`. Weights are jumped over. */
export function nodesOf(model: Uint8Array): NodeNames[] {
  const nodes: NodeNames[] = [];
  for (const graph of messagesIn(model, { start: 0, end: model.length }))
    for (const node of graph.field === GRAPH ? messagesIn(model, graph) : []) {
      if (node.field === NODE) nodes.push(namesOf(model, node));
      if (nodes.length > NODES_MAX) throw new Error(`a graph has more than ${NODES_MAX} nodes`);
    }
  return nodes;
}

type Range = { readonly start: number; readonly end: number };

function namesOf(model: Uint8Array, node: Range): NodeNames {
  const texts = [...messagesIn(model, node)].map((each) => ({
    ...each,
    name: Buffer.from(model.subarray(each.start, each.end)).toString(),
  }));
  const of = (field: number) => texts.filter((each) => each.field === field);
  return {
    op: of(NODE_FIELDS.op)[0]?.name ?? "",
    inputs: of(NODE_FIELDS.input).map(({ name, start, end }) => ({ name, start, length: end - start })),
    outputs: of(NODE_FIELDS.output).map(({ name }) => name),
  };
}

/** A message's fields that have a length: messages, texts and bytes. Numbers are passed over. */
function* messagesIn(bytes: Uint8Array, { start, end }: Range): Generator<Range & { readonly field: number }> {
  for (let at = start; at < end; ) {
    const tag = varintAt(bytes, at);
    const [field, wireType] = [Math.floor(tag.value / 8), tag.value % 8];
    if (wireType === 0) at = varintAt(bytes, tag.end).end;
    else if (wireType === 1) at = tag.end + 8;
    else if (wireType === 5) at = tag.end + 4;
    else if (wireType === 2) {
      const length = varintAt(bytes, tag.end);
      at = length.end + length.value;
      if (at > end) throw new Error("an ONNX graph ends in the middle");
      yield { field, start: length.end, end: at };
    } else throw new Error("a file is not in ONNX's format");
  }
}

/** Of negative numbers, which are only passed over here, precision is lost. */
function varintAt(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start, factor = 1; at < bytes.length; at += 1, factor *= 128) {
    const next = bytes[at] ?? 0;
    value += (next & 127) * factor;
    if (next < 128) return { value, end: at + 1 };
  }
  throw new Error("an ONNX graph ends in the middle");
}
