import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient, InferenceRequest } from "../../shared/inference/contract.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { encodeFailure, encodeResult, RESULT_TYPE } from "../../shared/inference/wire.ts";
import { EVENTS_TYPE, encodeBreak, encodeEvent } from "../../shared/inference/wire-events.ts";
import { isGeneration, TIMEOUT_MS_MAX } from "../../shared/inference/wire-request.ts";
import type { Log } from "../../shared/log/log.ts";

/** What a call is answered with, over HTTP or inside of a Lambda answer: a generation as its lines come, all else whole. */
export type Answer = { readonly status: number; readonly type: string; readonly body: Uint8Array | AsyncIterable<string> };

export type AnswerParts = { readonly engine: InferenceClient; readonly log: Log };

const TIMEOUT_MS_DEFAULT = 60_000;

export type Read = () => Promise<InferenceRequest | GenerationCall>;

/** Runs one call; `read` brings its request in, and whatever fails becomes an answer too. A generation's first event decides its status. */
export async function answerCall({ engine, log }: AnswerParts, read: Read, limits: CallLimits): Promise<Answer> {
  try {
    const call = await read();
    if (isGeneration(call)) return await answerGeneration({ engine, log }, call, limits);
    return { status: 200, type: RESULT_TYPE, body: encodeResult(await engine.run(call, limits)) };
  } catch (error) {
    return failureAnswer(told(log, error));
  }
}

async function answerGeneration({ engine, log }: AnswerParts, call: GenerationCall, limits: CallLimits): Promise<Answer> {
  const events = engine.generate(call, limits)[Symbol.asyncIterator]();
  const first = await events.next();
  return { status: 200, type: EVENTS_TYPE, body: linesOf(first, events, log) };
}

async function* linesOf(
  first: IteratorResult<GenerateEvent>,
  events: AsyncIterator<GenerateEvent>,
  log: Log,
): AsyncGenerator<string, void> {
  try {
    for (let next = first; next.done !== true; next = await events.next()) yield encodeEvent(next.value);
  } catch (error) {
    yield encodeBreak(told(log, error));
  } finally {
    // Whoever left in the middle wants no more of it.
    await events.return?.();
  }
}

/** What the caller is told of an error; the log is told all of it. */
function told(log: Log, error: unknown): Failure {
  if (!(error instanceof Failure)) log("error", "a call failed", { error });
  else if (error.code === "engine_failed" || error.code === "unavailable") log("warn", error.message, { error: error.cause });
  return error instanceof Failure ? error : new Failure("engine_failed", "The inference function failed.");
}

export function failureAnswer(failure: Failure): Answer & { readonly body: Uint8Array } {
  return { status: failure.status, type: "application/json", body: Buffer.from(encodeFailure(failure)) };
}

/** What a caller says it has left, if it says so in good form. */
export function timeoutMsOf(said: unknown): number {
  const ms = Number(said ?? TIMEOUT_MS_DEFAULT);
  if (Number.isFinite(ms) && ms > 0) return Math.min(ms, TIMEOUT_MS_MAX);
  throw new Failure("invalid_request", "weir-timeout-ms must be a number of milliseconds above 0.");
}
