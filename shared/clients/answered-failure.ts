import * as z from "zod";
import { Failure, type FailureCode, type FailureDetail, isFailureCode } from "../base/failure.ts";

/** A failure that came as an answer, with the id that finds it in the gateway's log. */
export class AnsweredFailure extends Failure {
  readonly requestId: string | undefined;

  constructor(answer: { code: FailureCode; message: string; requestId: string | undefined }, detail: FailureDetail) {
    super(answer.code, answer.message, detail);
    this.requestId = answer.requestId;
  }
}

/** Reads an answer that is not a success; whatever it is, it becomes a failure that can be shown. */
export function answeredFailureOf({ status, headers, json }: { status: number; headers: Headers; json: unknown }): AnsweredFailure {
  const requestId = headers.get("weir-request-id") ?? undefined;
  const form = FailureForms.safeParse(json).data;
  const message = form?.error.message ?? `The answer has status ${status} and is not one of Weir's.`;
  const word = form?.error.code ?? form?.error_type ?? "";
  const code = isFailureCode(word) ? word : codeOf(status);
  const field = form?.error.field ?? form?.error.param;
  const retryAfterSeconds = Number(headers.get("retry-after") ?? Number.NaN);
  return new AnsweredFailure(
    { code, message, requestId: form?.error.requestId ?? requestId },
    { ...(field ? { field } : {}), ...(Number.isFinite(retryAfterSeconds) ? { retryAfterMs: retryAfterSeconds * 1000 } : {}) },
  );
}

const Word = z.string().nullish();

/** The forms that failures have on our paths: the admin API's, OpenAI's, and those of Hugging Face and OIP. */
const FailureForms = z.object({
  error: z.union([
    z.object({ message: z.string(), code: Word, field: Word, param: Word, requestId: Word }),
    z.string().transform((message) => ({ message, code: null, field: null, param: null, requestId: null })),
  ]),
  error_type: Word,
});

/** For answers in words that are not ours, such as a proxy's or a dialect's: the nearest of our own. */
const CODES: Readonly<Record<number, FailureCode>> = {
  401: "unauthenticated",
  402: "insufficient_funds",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  409: "conflict",
  412: "precondition_failed",
  413: "too_large",
  415: "unsupported_media",
  429: "rate_limited",
  501: "unsupported",
  502: "engine_failed",
  503: "unavailable",
  504: "timeout",
};

function codeOf(status: number): FailureCode {
  return CODES[status] ?? (status < 500 ? "invalid_request" : "engine_failed");
}
