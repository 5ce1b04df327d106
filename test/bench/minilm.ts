import { systemClock } from "../../shared/base/clock.ts";
import type { EmbedRequest, InferenceResult } from "../../shared/inference/contract.ts";
import { throttle } from "../../shared/inference/throttle.ts";
import { folderOf } from "../harness/inference.ts";
import { ask, type Caller, measureLoad, startFunction } from "./function.ts";

export const MINILM = folderOf("cdk/local/models/all-minilm-l6-v2");
export const MINILM_GRAPH = `${MINILM}/onnx/model_quantized.onnx`;

export type TextLoad = { readonly callers: number; readonly ms: number; readonly nextTexts: () => string[] };

export type MiniLm = {
  /** Real tokens per second of `callers` that each ask again as soon as they are answered, for `ms`. */
  readonly tokensPerSecond: (load: TextLoad) => Promise<number>;
  /** Embeds texts by a gateway's client, throttle included, waiting for at most `timeoutMs`. */
  readonly embed: (texts: readonly string[], timeoutMs: number) => Promise<InferenceResult>;
  /** Of the function's own process and its workers. */
  readonly pids: () => number[];
  readonly close: () => Promise<void>;
};

/** The inference function with MiniLM. */
export async function startMiniLm(environment: Record<string, string> = {}): Promise<MiniLm> {
  const weir = await startFunction(environment);
  const caller = await weir.open(MINILM, "q8", embedding([textOf(100)]));
  const gateway = { ...caller, client: throttle(caller.client, systemClock) };
  return {
    tokensPerSecond: (load) => measure(caller, load),
    embed: (texts, timeoutMs) => call(gateway, texts, timeoutMs),
    pids: weir.pids,
    close: weir.close,
  };
}

/** A text that MiniLM's tokenizer makes exactly this many tokens of, special ones included. */
export const textOf = (tokens: number) => "word ".repeat(tokens - 2);

export function embedding(texts: readonly string[]): EmbedRequest {
  return { task: "embed", inputs: texts.map((text) => ({ kind: "text", text })), overlong: "cut" };
}

export function call(caller: Caller, texts: readonly string[], timeoutMs?: number): Promise<InferenceResult> {
  return ask(caller, embedding(texts), timeoutMs);
}

export function measure(caller: Caller, { callers, ms, nextTexts }: TextLoad): Promise<number> {
  return measureLoad(caller, { callers, ms, nextBody: () => embedding(nextTexts()) });
}
