import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Graph, writeAddition } from "../../../models/onnx-writer.ts";
import type { Session, TensorShape } from "../session.ts";
import { KEPT_POSITIONS, PICKED_PLACES, PICKED_PREFIX } from "./decoder.ts";
import { keepLogits } from "./kept-logits.ts";

/** How some ONNX runtime opens a graph: from its file, or from memory with the folder of the weights that it does not contain. */
export type GraphOpener = {
  readonly openFile: (path: string) => Promise<Session>;
  readonly openGraph: (graph: Uint8Array, folder: string) => Promise<Session>;
};

/** Larger files are read by the runtime alone: here they would be in memory twice while they are loaded. */
const EXTENDED_BYTES_MAX = 1024 ** 3;
const CACHE_RANK = 4;
/** Graphs that compute logits only of the last tokens by themselves, or have been made to. */
const LOGITS_TO_KEEP: readonly string[] = ["num_logits_to_keep", KEPT_POSITIONS];

/**
 * Opens a graph, which may be a decoder's: then with outputs added that hold the new tokens of its cache alone. Without them the runtime copies the
 * whole cache out at each step, even into tensors that are given for it, and only garbage collection frees the copies: with eight sequences of 240
 * tokens a step of SmolLM2 takes 85 ms in place of 55.
 */
export async function openPickedSession({ openFile, openGraph }: GraphOpener, path: string): Promise<Session> {
  const plain = await openFile(path);
  const addition = (await stat(path)).size > EXTENDED_BYTES_MAX ? undefined : pickedOutputs(plain);
  if (addition === undefined) return plain;
  const graph = await readFile(path);
  await plain.dispose();
  const kept = plain.inputs.some(({ name }) => LOGITS_TO_KEEP.includes(name)) ? undefined : keepLogits(graph);
  const { inputs, nodes } = addition;
  const whole = kept && { ...addition, inputs: [...inputs, ...kept.addition.inputs], nodes: [...nodes, ...kept.addition.nodes] };
  return openGraph(Buffer.concat([kept?.model ?? graph, writeAddition(whole ?? addition)]), dirname(path));
}

function pickedOutputs({ inputs, outputs }: Session): Graph | undefined {
  const presents = outputs.filter(({ name }) => name.startsWith("present."));
  const isPlain = presents.every(
    ({ name, dims }) =>
      dims.length === CACHE_RANK && dims[1] === presents[0]?.dims[1] && !outputs.some((other) => other.name === PICKED_PREFIX + name),
  );
  if (presents.length === 0 || !isPlain || inputs.some(({ name }) => name === PICKED_PLACES)) return undefined;
  return {
    inputs: [{ name: PICKED_PLACES, type: "int64", dims: ["weir_rows", "weir_heads", "weir_tokens", CACHE_RANK - 1] }],
    nodes: presents.map(({ name }) => ({ op: "GatherND", inputs: [name, PICKED_PLACES], outputs: [PICKED_PREFIX + name] })),
    outputs: presents.map(pickedOf),
    weights: [],
  };
}

function pickedOf({ name, type }: TensorShape) {
  const dims = ["weir_rows", "weir_heads", "weir_tokens", `${name}.width`];
  return { name: PICKED_PREFIX + name, type: type === "float16" ? type : "float32", dims } as const;
}
