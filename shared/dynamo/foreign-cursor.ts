import { Failure } from "../base/failure.ts";

export function foreignCursor(cause?: unknown): Failure {
  return new Failure("invalid_request", "The cursor is not one that this list gave.", { field: "cursor", cause });
}

/** Reads on from where a caller says. A place that no item can have is the caller's mistake, which the store takes for ours. */
export async function readFrom<T>(cursor: string | undefined, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cursor !== undefined && cause instanceof Error && cause.name === "ValidationException") throw foreignCursor(cause);
    throw cause;
  }
}
