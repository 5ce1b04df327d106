import * as z from "zod";

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
        /** A function that runs on demand is not asked: the question would wake it. */
        state: z.enum(["reachable", "unreachable", "on-demand"]),
      }),
    ),
    /** Absent while the store cannot be reached. */
    counts: z.object({ tenants: z.int().min(0), models: z.int().min(0) }).optional(),
  })
  .meta({ id: "Status" });
export type Status = z.infer<typeof Status>;
