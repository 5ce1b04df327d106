import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, InferenceClient, InferenceRequest } from "../../shared/inference/contract.ts";
import { encodeFailure, encodeResult, RESULT_TYPE, TIMEOUT_MS_MAX } from "../../shared/inference/wire.ts";
import type { Log } from "../../shared/log/log.ts";

/** What a call is answered with, over HTTP or inside of a Lambda answer. */
export type Answer = { readonly status: number; readonly type: string; readonly body: Uint8Array };

export type AnswerParts = { readonly engine: InferenceClient; readonly log: Log };

const TIMEOUT_MS_DEFAULT = 60_000;

/** Runs one call; `read` brings its request in, and whatever fails becomes an answer too. */
export async function answerCall({ engine, log }: AnswerParts, read: () => Promise<InferenceRequest>, limits: CallLimits): Promise<Answer> {
  try {
    const result = await engine.run(await read(), limits);
    return { status: 200, type: RESULT_TYPE, body: encodeResult(result) };
  } catch (error) {
    if (!(error instanceof Failure)) log("error", "a call failed", { error });
    else if (error.code === "engine_failed" || error.code === "unavailable") log("warn", error.message, { error: error.cause });
    return failureAnswer(error instanceof Failure ? error : new Failure("engine_failed", "The inference function failed."));
  }
}

export function failureAnswer(failure: Failure): Answer {
  return { status: failure.status, type: "application/json", body: Buffer.from(encodeFailure(failure)) };
}

/** What a caller says it has left, if it says so in good form. */
export function timeoutMsOf(said: unknown): number {
  const ms = Number(said ?? TIMEOUT_MS_DEFAULT);
  if (Number.isFinite(ms) && ms > 0) return Math.min(ms, TIMEOUT_MS_MAX);
  throw new Failure("invalid_request", "weir-timeout-ms must be a number of milliseconds above 0.");
}
