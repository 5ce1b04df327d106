import { Failure } from "../base/failure.ts";

export function storeUnavailable(cause: unknown): Failure {
  return new Failure("unavailable", "The store did not answer in time. Try again.", { retryAfterMs: 1_000, cause });
}

export function isConditionFailed(error: unknown): boolean {
  return error instanceof Error && error.name === "ConditionalCheckFailedException";
}

/** Does work with one of the SDK's clients for a caller: what the store cannot do now becomes `unavailable`; our own mistakes stay errors. */
export async function withStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw isStoreTrouble(cause) ? storeUnavailable(cause) : cause;
  }
}

const OUR_MISTAKES = new Set(["ValidationException", "SerializationException", "ResourceNotFoundException", "AccessDeniedException"]);

/** Throttled, broken or out of reach: the SDK marks service errors with `$fault`, the network's have a code such as ECONNREFUSED. */
function isStoreTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isService = "$fault" in error && !OUR_MISTAKES.has(error.name);
  const isNetwork = "code" in error && typeof error.code === "string" && /^E[A-Z]+$/.test(error.code);
  return isService || isNetwork || error.name === "TimeoutError";
}
