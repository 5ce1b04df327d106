import * as z from "zod";

/** Every expected refusal, once: what it answers over HTTP and whether the same request may succeed later. */
const FAILURES = {
  invalid_request: { status: 400, isRetryable: false },
  unauthenticated: { status: 401, isRetryable: false },
  /** A prepaid balance, or what a tenant may spend, does not cover the request. */
  insufficient_funds: { status: 402, isRetryable: false },
  forbidden: { status: 403, isRetryable: false },
  not_found: { status: 404, isRetryable: false },
  method_not_allowed: { status: 405, isRetryable: false },
  request_timeout: { status: 408, isRetryable: true },
  conflict: { status: 409, isRetryable: false },
  in_progress: { status: 409, isRetryable: true },
  /** What `If-Match` names is not the last revision any more. */
  precondition_failed: { status: 412, isRetryable: false },
  too_large: { status: 413, isRetryable: false },
  unsupported_media: { status: 415, isRetryable: false },
  key_reused: { status: 422, isRetryable: false },
  rate_limited: { status: 429, isRetryable: true },
  overloaded: { status: 429, isRetryable: true },
  cancelled: { status: 499, isRetryable: false },
  unsupported: { status: 501, isRetryable: false },
  engine_failed: { status: 502, isRetryable: true },
  unavailable: { status: 503, isRetryable: true },
  timeout: { status: 504, isRetryable: true },
} as const;

export type FailureCode = keyof typeof FAILURES;

export type FailureDetail = {
  /** Path of the offending input, such as `input.3` or `dimensions`. */
  readonly field?: string;
  /** When to come back; becomes `Retry-After`, rounded up to seconds. */
  readonly retryAfterMs?: number;
  /** The limits that refuse it, by the names that the RateLimit headers give them. */
  readonly violatedPolicies?: readonly string[];
  readonly cause?: unknown;
};

/** An expected refusal: the message is written for the caller and holds nothing that is not theirs. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly violatedPolicies: readonly string[] | undefined;

  constructor(code: FailureCode, message: string, detail: FailureDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = "Failure";
    this.code = code;
    this.field = detail.field;
    this.retryAfterMs = detail.retryAfterMs;
    this.violatedPolicies = detail.violatedPolicies;
  }

  get status() {
    return FAILURES[this.code].status;
  }

  get isRetryable() {
    return FAILURES[this.code].isRetryable;
  }
}

/** What was written, or undefined where somebody else was faster (`conflict`) and theirs is as good, or has to be looked at. */
export async function unlessConflict<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write;
  } catch (cause) {
    if (cause instanceof Failure && cause.code === "conflict") return undefined;
    throw cause;
  }
}

export function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(FAILURES, code);
}

/** A failure as the admin API answers it; the dialects have their own forms. */
export const FailureAnswer = z
  .object({
    error: z.object({
      code: z.string().meta({ description: "A word that scripts may rely on, such as `not_found`" }),
      message: z.string(),
      field: z.string().optional().meta({ description: "Path of the offending input" }),
      requestId: z.string(),
    }),
  })
  .meta({ id: "Failure" });
