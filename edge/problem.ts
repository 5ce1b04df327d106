import * as z from "zod";
import type { Failure } from "../shared/base/failure.ts";

export const PROBLEM_TYPE = "application/problem+json";
const QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/** A refusal by limits as a problem of RFC 9457, of the type that draft-ietf-httpapi-ratelimit-headers defines: its members stand beside the dialect's own. */
export const QuotaExceeded = z
  .object({
    type: z.literal(QUOTA_EXCEEDED),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    "violated-policies": z.array(z.string()).meta({ description: "As `RateLimit` and `RateLimit-Policy` call them" }),
  })
  .meta({ id: "QuotaExceeded" });

/** Undefined for failures that no policy has made. */
export function problemOf({ violatedPolicies, message, status }: Failure): z.infer<typeof QuotaExceeded> | undefined {
  if (violatedPolicies === undefined) return undefined;
  const title = "Quota Exceeded";
  return { type: QUOTA_EXCEEDED, title, status, detail: message, "violated-policies": [...violatedPolicies] };
}
