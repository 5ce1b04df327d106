import * as z from "zod";

/** What a key's requests are held to, and what is left. */
export const LimitsReport = z
  .object({
    items: z.array(
      z.object({
        name: z.string().meta({ description: "As the RateLimit headers call it; `key-…` is the key's own, the others are its tenant's" }),
        unit: z.enum(["requests", "tokens", "concurrent-requests"]),
        quota: z.int().meta({ description: "What may come at once" }),
        windowSeconds: z.int().optional().meta({ description: "In which a spent quota is whole again" }),
        remaining: z.int().meta({ description: "Now, without what other gateways have leased for the next seconds" }),
        wholeInSeconds: z.int().optional().meta({ description: "Until the whole quota is there again, if nothing more is asked" }),
      }),
    ),
  })
  .meta({ id: "LimitsReport" });
export type LimitsReport = z.infer<typeof LimitsReport>;
