import * as z from "zod";
import type { Failure } from "../../../shared/base/failure.ts";

export const OipFailure = z.object({ error: z.string() }).meta({ id: "OipFailure" });

/** `{"error":"…"}`: the protocol's only error form. */
export function renderOipFailure(failure: Failure | undefined, requestId: string): z.infer<typeof OipFailure> {
  return { error: failure?.message ?? `Something failed on our side. The request id is ${requestId}.` };
}
