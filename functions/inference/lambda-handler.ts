import * as z from "zod";
import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import type { Invocation } from "../../shared/inference/lambda-loop.ts";
import { type LambdaAnswer, LambdaEvent } from "../../shared/inference/wire.ts";
import { parseRequest } from "../../shared/inference/wire-request.ts";
import { type Answer, type AnswerParts, answerCall, failureAnswer } from "./answer.ts";

export type HandlerParts = AnswerParts & { readonly clock: Clock };

/** Kept from an invocation's time, for its answer to get out before Lambda ends it. */
const RESERVE_MS = 500;
/** Lambda's own limit: 6 MiB. */
const ANSWER_BYTES_MAX = 6 * 1024 ** 2;
const TOO_LARGE = new Failure("too_large", "The answer is larger than this pool can send; ask for fewer inputs at once.", {
  field: "input",
});

/**
 * Answers one invocation: the same call and the same bytes as over HTTP, in Lambda's JSON, or a generation's lines as they come. Refusals are
 * answers too, not failed invocations.
 */
export async function answerInvocation(parts: HandlerParts, invocation: Invocation): Promise<Uint8Array | AsyncIterable<string>> {
  const { status, body, isStreamed } = await answer(parts, invocation);
  if (!(body instanceof Uint8Array)) return body;
  // A refused generation is one line: an error's body has no line breaks.
  if (isStreamed) return body;
  const text = envelopeOf(status, body);
  return Buffer.from(text.length <= ANSWER_BYTES_MAX ? text : tooLarge());
}

async function answer(parts: HandlerParts, { payload, deadlineAtMs }: Invocation): Promise<Answer & { readonly isStreamed: boolean }> {
  const event = LambdaEvent.safeParse(jsonOf(payload));
  if (!event.success)
    return { ...failureAnswer(new Failure("invalid_request", "The event must be {timeoutMs, request}.")), isStreamed: false };
  const { request } = event.data;
  const timeoutMs = Math.max(1, Math.min(event.data.timeoutMs, deadlineAtMs - parts.clock.nowMs() - RESERVE_MS));
  // Lambda does not tell when a caller leaves, so nothing aborts this but its time.
  const limits = { signal: new AbortController().signal, timeoutMs };
  return { ...(await answerCall(parts, async () => parseRequest(request), limits)), isStreamed: asksForStream(request) };
}

/** What the caller reads as lines, also when the request is refused for its form. */
function asksForStream(request: unknown): boolean {
  return GenerationLike.safeParse(request).success;
}

const GenerationLike = z.looseObject({ body: z.looseObject({ task: z.literal("generate") }) });

function tooLarge(): string {
  const { status, body } = failureAnswer(TOO_LARGE);
  return envelopeOf(status, body);
}

function envelopeOf(status: number, body: Uint8Array): string {
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
