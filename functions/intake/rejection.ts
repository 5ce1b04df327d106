import { Failure } from "../../shared/base/failure.ts";

const REASON_CHARACTERS_MAX = 1_000;

/** The version's own fault: it becomes `rejected` with this sentence. Every other failure is ours, and the version is checked again later. */
export function rejection(reason: string, cause?: unknown): Failure {
  return new Failure("invalid_request", reason.slice(0, REASON_CHARACTERS_MAX), { cause });
}

export function isRejection(error: unknown): error is Failure {
  return error instanceof Failure && error.code === "invalid_request";
}
