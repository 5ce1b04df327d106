import { InferenceSession, Tensor } from "onnxruntime-node";
import { ortOptions } from "../../../shared/inference/ort/session.ts";

/** A greedy loop over onnxruntime-node as its users write it, for one sequence. */
export type BareDecoder = {
  readonly generate: (prompt: Int32Array, newTokens: number) => Promise<number[]>;
  readonly close: () => Promise<void>;
};

export type BareOptions = {
  readonly graph: string;
  readonly heads: number;
  readonly width: number;
  /** `in-place` feeds and fetches the same tensors, which grouped-query attention fills; `fed-back` feeds what was fetched. Each is the fastest for its graph. */
  readonly cache: "in-place" | "fed-back";
  readonly hasPositionIds: boolean;
};

export async function startBareDecoder(options: BareOptions): Promise<BareDecoder> {
  const session = await InferenceSession.create(options.graph, ortOptions({ threads: 1, provider: "cpu" }));
  return { generate: (prompt, newTokens) => generate(session, options, { prompt, newTokens }), close: () => session.release() };
}

type Task = { readonly prompt: Int32Array; readonly newTokens: number };

async function generate(session: InferenceSession, options: BareOptions, { prompt, newTokens }: Task): Promise<number[]> {
  const isInPlace = options.cache === "in-place";
  // Known in advance here, so that the cache never grows.
  const capacity = isInPlace ? prompt.length + newTokens : 0;
  const pasts = session.inputNames.filter((name) => name.startsWith("past_key_values."));
  const empty = () =>
    new Tensor("float32", new Float32Array(options.heads * capacity * options.width), [1, options.heads, capacity, options.width]);
  let cache: ReadonlyMap<string, Tensor> = new Map(pasts.map((name) => [name, empty()]));
  const drawn: number[] = [];
  let [ids, length] = [[...prompt], 0];
  while (drawn.length < newTokens) {
    const total = length + ids.length;
    const feeds: Record<string, Tensor> = {
      ...Object.fromEntries(cache),
      input_ids: integers(ids),
      attention_mask: integers(new Array<number>(total).fill(1)),
    };
    if (options.hasPositionIds) feeds["position_ids"] = integers(ids.map((_, at) => length + at));
    const fetches: Record<string, Tensor | null> = { logits: null };
    for (const [name, tensor] of cache) fetches[presentOf(name)] = isInPlace ? tensor : null;
    const results = await session.run(feeds, fetches);
    if (!isInPlace) cache = new Map(pasts.map((name) => [name, results[presentOf(name)] ?? empty()]));
    const next = likeliest(results["logits"]);
    drawn.push(next);
    [ids, length] = [[next], total];
  }
  return drawn;
}

const presentOf = (past: string) => past.replace("past_key_values", "present");
const integers = (values: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);

function likeliest(logits: Tensor | undefined): number {
  if (logits === undefined || !(logits.data instanceof Float32Array)) throw new Error("a decoder answers with float32 logits");
  const row = logits.data.subarray(-(logits.dims[2] ?? 0));
  let best = 0;
  for (let token = 1; token < row.length; token += 1) if ((row[token] ?? 0) > (row[best] ?? 0)) best = token;
  return best;
}
