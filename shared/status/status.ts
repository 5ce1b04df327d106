import * as z from "zod";

/** What a circuit breaker of this process has come to: `open` leaves alone what failed, `half-open` tries it by one request at a time. */
const BreakerStatus = z.object({
  state: z.enum(["closed", "open", "half-open"]),
  /** Why it opened. */
  reason: z.string().exactOptional(),
  retryInMs: z.int().min(0),
});

/** What an operator sees first: is everything there that the gateway needs? */
export const Status = z
  .object({
    version: z.string(),
    /** The gateway's process that answers; there may be others. */
    startedAt: z.iso.datetime(),
    uptimeMs: z.int().min(0),
    store: z.object({ isReachable: z.boolean(), latencyMs: z.int().min(0) }),
    pools: z.array(
      z.object({
        name: z.string(),
        tier: z.string(),
        /** What runs on demand, a function or this process's own threads, is not asked: the question would wake it. */
        state: z.enum(["reachable", "unreachable", "on-demand"]),
        breaker: BreakerStatus,
        /** Versions that fail there while others do not: `minilm@2 fp32`. */
        failing: z.array(BreakerStatus.extend({ version: z.string() })),
      }),
    ),
    /** Absent while the store cannot be reached. */
    counts: z.object({ tenants: z.int().min(0), models: z.int().min(0) }).optional(),
  })
  .meta({ id: "Status" });
export type Status = z.infer<typeof Status>;
