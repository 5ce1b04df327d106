import type { Failure } from "../../../shared/base/failure.ts";

/** `{"error","error_type"}`: the form of the Hugging Face inference servers, read by both official clients. */
export function renderHfFailure(failure: Failure | undefined, requestId: string) {
  if (failure === undefined) return { error: `Something failed on our side. The request id is ${requestId}.`, error_type: "internal" };
  return { error: failure.message, error_type: failure.code };
}
