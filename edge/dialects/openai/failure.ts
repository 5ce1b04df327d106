import * as z from "zod";
import type { Failure, FailureCode } from "../../../shared/base/failure.ts";

/** OpenAI's words for our failures; what is not here keeps its own code. */
const CODES: Partial<Record<FailureCode, string>> = {
  unauthenticated: "invalid_api_key",
  not_found: "model_not_found",
  rate_limited: "rate_limit_exceeded",
};

export const OpenaiFailure = z
  .object({ error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }) })
  .meta({ id: "OpenaiFailure" });

/** `{"error":{"message","type","param","code"}}`, the form that OpenAI's clients read. */
export function renderOpenaiFailure(failure: Failure | undefined, requestId: string): z.infer<typeof OpenaiFailure> {
  if (failure === undefined) {
    const message = `Something failed on our side. The request id is ${requestId}.`;
    return { error: { message, type: "server_error", param: null, code: "internal" } };
  }
  const code = failure.code === "not_found" && failure.field !== "model" ? "not_found" : (CODES[failure.code] ?? failure.code);
  return { error: { message: failure.message, type: typeOf(failure), param: failure.field ?? null, code } };
}

function typeOf(failure: Failure): string {
  if (failure.status === 429) return "rate_limit_error";
  if (failure.status >= 500) return "server_error";
  return failure.status === 403 ? "permission_error" : "invalid_request_error";
}
