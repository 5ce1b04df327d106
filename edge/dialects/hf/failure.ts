import * as z from "zod";
import type { Failure } from "../../../shared/base/failure.ts";

export const HfFailure = z.object({ error: z.string(), error_type: z.string() }).meta({ id: "HfFailure" });

/** `{"error","error_type"}`: the form of the Hugging Face inference servers, read by both official clients. */
export function renderHfFailure(failure: Failure | undefined, requestId: string): z.infer<typeof HfFailure> {
  if (failure === undefined) return { error: `Something failed on our side. The request id is ${requestId}.`, error_type: "internal" };
  return { error: failure.message, error_type: failure.code };
}
