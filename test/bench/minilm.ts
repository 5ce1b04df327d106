import { setTimeout as sleep } from "node:timers/promises";
import type { InferenceClient, InferenceResult } from "../../shared/inference/contract.ts";
import { folderOf, requestFor, type StoredVersion, startInference, storeVersion } from "../harness/inference.ts";
import { startS3 } from "../harness/s3.ts";

export const MINILM = folderOf("cdk/local/models/all-minilm-l6-v2");
export const MINILM_GRAPH = `${MINILM}/onnx/model_quantized.onnx`;
/** Both sides have this many processes with one thread of ONNX Runtime each. */
export const WORKERS = 2;

const LIMITS = { signal: new AbortController().signal, timeoutMs: 60_000 };

export type Function = {
  /** Real tokens per second of `callers` that each ask again as soon as they are answered, for `ms`. */
  readonly tokensPerSecond: (load: TextLoad) => Promise<number>;
  /** Embeds texts, waiting for at most `timeoutMs`. */
  readonly embed: (texts: readonly string[], timeoutMs: number) => Promise<InferenceResult>;
  readonly close: () => Promise<void>;
};

/** The inference function with MiniLM, as a process with its workers, called over HTTP. */
export async function startMiniLm(): Promise<Function> {
  // The S3 engine is in this process; the function alone has credentials in its environment, so these are the bench's own.
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "bench";
  const s3 = await startS3();
  const version = await storeVersion(s3, MINILM, "q8");
  const inference = await startInference(s3, { WEIR_WORKERS: String(WORKERS) });
  const caller = { client: inference.client, version };
  // Both workers have loaded it before anything is measured.
  await Promise.all(Array.from({ length: 4 * WORKERS }, () => call(caller, [textOf(100)])));
  return {
    tokensPerSecond: (load) => measure(caller, load),
    embed: (texts, timeoutMs) => call(caller, texts, timeoutMs),
    close: async () => {
      await inference.close();
      await s3.close();
    },
  };
}

/** A text that MiniLM's tokenizer makes exactly this many tokens of, special ones included. */
export const textOf = (tokens: number) => "word ".repeat(tokens - 2);

export type TextLoad = { readonly callers: number; readonly ms: number; readonly nextTexts: () => string[] };
export type Caller = { readonly client: InferenceClient; readonly version: StoredVersion };

export function call({ client, version }: Caller, texts: readonly string[], timeoutMs = LIMITS.timeoutMs): Promise<InferenceResult> {
  const inputs = texts.map((text) => ({ kind: "text", text }) as const);
  return client.run(requestFor(version, { task: "embed", inputs, overlong: "cut" }), { ...LIMITS, timeoutMs });
}

/** Counts from when every caller has been answered once, so that work which is under way at the end was under way at the start as well. */
export async function measure(caller: Caller, load: TextLoad): Promise<number> {
  let tokens = 0;
  let isOver = false;
  const ask = async () => {
    for (const count of (await call(caller, load.nextTexts())).inputTokens) tokens += count;
  };
  const askOn = async () => {
    while (!isOver) await ask();
  };
  const first = Array.from({ length: load.callers }, ask);
  const asking = first.map((answered) => answered.then(askOn));
  await Promise.all(first);
  const [startTokens, startMs] = [tokens, performance.now()];
  await sleep(load.ms);
  const [endTokens, endMs] = [tokens, performance.now()];
  isOver = true;
  await Promise.all(asking);
  return (endTokens - startTokens) / ((endMs - startMs) / 1_000);
}
