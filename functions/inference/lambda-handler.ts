import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import type { Invocation } from "../../shared/inference/lambda-loop.ts";
import { type LambdaAnswer, LambdaEvent, parseRequest } from "../../shared/inference/wire.ts";
import { type Answer, type AnswerParts, answerCall, failureAnswer } from "./answer.ts";

export type HandlerParts = AnswerParts & { readonly clock: Clock };

/** Kept from an invocation's time, for its answer to get out before Lambda ends it. */
const RESERVE_MS = 500;
/** Lambda's own limit: 6 MiB. */
const ANSWER_BYTES_MAX = 6 * 1024 ** 2;
const TOO_LARGE = new Failure("too_large", "The answer is larger than this pool can send; ask for fewer inputs at once.", {
  field: "input",
});

/** Answers one invocation: the same call and the same bytes as over HTTP, in Lambda's JSON. Refusals are answers too, not failed invocations. */
export async function answerInvocation(parts: HandlerParts, invocation: Invocation): Promise<Uint8Array> {
  const text = envelopeOf(await answer(parts, invocation));
  return Buffer.from(text.length <= ANSWER_BYTES_MAX ? text : envelopeOf(failureAnswer(TOO_LARGE)));
}

async function answer(parts: HandlerParts, { payload, deadlineAtMs }: Invocation): Promise<Answer> {
  const event = LambdaEvent.safeParse(jsonOf(payload));
  if (!event.success) return failureAnswer(new Failure("invalid_request", "The event must be {timeoutMs, request}."));
  const timeoutMs = Math.max(1, Math.min(event.data.timeoutMs, deadlineAtMs - parts.clock.nowMs() - RESERVE_MS));
  // Lambda does not tell when a caller leaves, so nothing aborts this.
  return answerCall(parts, async () => parseRequest(event.data.request), { signal: new AbortController().signal, timeoutMs });
}

function envelopeOf({ status, body }: Answer): string {
  const envelope: LambdaAnswer = { status, body: Buffer.from(body).toString("base64") };
  return JSON.stringify(envelope);
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch {
    return undefined; // its schema refuses it
  }
}
