import { InferenceSession, Tensor } from "onnxruntime-node";
import { ortOptions } from "../../../shared/inference/ort/session.ts";

/** Batches of token counts, run one after the other and from the start again, for `ms`. */
export type BareOrder = { readonly batches: readonly (readonly number[])[]; readonly ms: number };
/** Real tokens, without padding. */
export type BareResult = { readonly tokensPerSecond: number };

/** Some word's id; which one makes no difference to the time. */
const TOKEN_ID = 2773n;

// ONNX Runtime as its README shows it, with the options of Weir's workers: no queue, no HTTP, no tokenizer, no pooling.
const session = await InferenceSession.create(process.argv[2] ?? "", ortOptions({ threads: 1, provider: "cpu" }));
process.on("message", (order) => void run(order as BareOrder).then((result) => process.send?.(result)));
process.on("disconnect", () => process.exit(0));
process.send?.({ port: 0 });

async function run({ batches, ms }: BareOrder): Promise<BareResult> {
  const prepared = batches.map((lengths) => ({ feeds: feedsOf(lengths), tokens: lengths.reduce((sum, length) => sum + length, 0) }));
  const startedAtMs = performance.now();
  const passedMs = () => performance.now() - startedAtMs;
  let tokens = 0;
  for (let next = 0; passedMs() < ms; next += 1) {
    const batch = prepared[next % prepared.length];
    if (batch === undefined) break;
    await session.run(batch.feeds);
    tokens += batch.tokens;
  }
  return { tokensPerSecond: (tokens / passedMs()) * 1_000 };
}

/** Padded to the longest. */
function feedsOf(lengths: readonly number[]) {
  const dims = [lengths.length, Math.max(...lengths)];
  const width = dims[1] ?? 0;
  const tensor = (value: bigint) => {
    const data = new BigInt64Array(lengths.length * width);
    for (const [row, length] of lengths.entries()) data.fill(value, row * width, row * width + length);
    return new Tensor("int64", data, dims);
  };
  return { input_ids: tensor(TOKEN_ID), attention_mask: tensor(1n), token_type_ids: tensor(0n) };
}
