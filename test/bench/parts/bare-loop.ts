import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-node";

/** Batches of token counts, run one after the other and from the start again, for `ms`. */
export type BareOrder = { readonly batches: readonly (readonly number[])[]; readonly ms: number };
/** Real tokens, without padding. */
export type BareResult = { readonly tokensPerSecond: number; readonly tokens: number };

/** ONNX Runtime, native or for WASM: both packages have the same types. */
export type BareRuntime = { readonly session: InferenceSession; readonly Tensor: TensorConstructor };

/** Some word's id; which one makes no difference to the time, and every vocabulary here has it. */
const TOKEN_ID = 273n;

const VALUES: Readonly<Record<string, bigint>> = { input_ids: TOKEN_ID, attention_mask: 1n };

/** ONNX Runtime as its README shows it: no queue, no tokenizer, no pooling. */
export async function runBare({ session, Tensor }: BareRuntime, { batches, ms }: BareOrder): Promise<BareResult> {
  const prepared = batches.map((lengths) => ({
    feeds: feedsOf({ session, Tensor }, lengths),
    tokens: lengths.reduce((sum, length) => sum + length, 0),
  }));
  const startedAtMs = performance.now();
  const passedMs = () => performance.now() - startedAtMs;
  let tokens = 0;
  for (let next = 0; passedMs() < ms; next += 1) {
    const batch = prepared[next % prepared.length];
    if (batch === undefined) break;
    await session.run(batch.feeds);
    tokens += batch.tokens;
  }
  return { tokensPerSecond: (tokens / passedMs()) * 1_000, tokens };
}

/** Padded to the longest. */
function feedsOf({ session, Tensor }: BareRuntime, lengths: readonly number[]): Record<string, Tensor> {
  const dims = [lengths.length, Math.max(...lengths)];
  const width = dims[1] ?? 0;
  const tensor = (value: bigint) => {
    const data = new BigInt64Array(lengths.length * width);
    for (const [row, length] of lengths.entries()) data.fill(value, row * width, row * width + length);
    return new Tensor("int64", data, dims);
  };
  return Object.fromEntries(session.inputNames.map((name) => [name, tensor(VALUES[name] ?? 0n)]));
}
