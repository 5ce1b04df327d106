import { nodesOf } from "../../../models/onnx-nodes.ts";
import type { Graph } from "../../../models/onnx-writer.ts";
import { KEPT_POSITIONS } from "./decoder.ts";

const LOGITS = "logits";
/** What stands between the last projection and the logits in some exports. */
const PASSED = new Set(["Cast", "Identity"]);
const PROJECTIONS = new Set(["MatMul", "MatMulNBits"]);

/**
 * Makes a decoder's graph compute logits only where they are asked for: its last projection, onto the whole vocabulary, then reads the positions that the input
 * `weir_kept` lists in the place of all. Reading a prompt otherwise computes them for every token and uses one: a fifth of SmolLM2's work and a third of GPT-2's.
 *
 * Answers the graph with one name changed, in place, and what is to be added behind it; undefined where the logits do not come straight from a projection.
 */
export function keepLogits(
  model: Uint8Array,
): { readonly model: Uint8Array; readonly addition: Pick<Graph, "inputs" | "nodes"> } | undefined {
  const nodes = nodesOf(model);
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  let projection = makers.get(LOGITS);
  for (let passed = 0; projection !== undefined && PASSED.has(projection.op) && passed < PASSED.size; passed += 1)
    projection = makers.get(projection.inputs[0]?.name ?? "");
  const hidden = projection?.inputs[0];
  if (projection === undefined || hidden === undefined || !PROJECTIONS.has(projection.op) || !makers.has(hidden.name)) return undefined;
  const name = freeNameLike(hidden.name, new Set([...makers.keys(), ...nodes.flatMap(({ inputs }) => inputs.map((input) => input.name))]));
  if (name === undefined) return undefined;
  const changed = Uint8Array.from(model);
  changed.set(Buffer.from(name), hidden.start);
  return {
    model: changed,
    addition: {
      inputs: [{ name: KEPT_POSITIONS, type: "int64", dims: [KEPT_POSITIONS] }],
      nodes: [{ op: "Gather", inputs: [hidden.name, KEPT_POSITIONS], outputs: [name], attributes: { axis: { int: 1 } } }],
    },
  };
}

/** As many bytes, so that no length around it changes. */
function freeNameLike(name: string, taken: ReadonlySet<string>): string | undefined {
  const last = name.charCodeAt(name.length - 1);
  if (last > 127) return undefined;
  const candidates = [..."~^!%0123456789"].map((letter) => name.slice(0, -1) + letter);
  return candidates.find((candidate) => !taken.has(candidate));
}
