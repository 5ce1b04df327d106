import * as z from "zod";
import { compareTexts } from "../sums.ts";

export const USAGE_RANGE_MS_DEFAULT = 3_600_000;
/** The longest month. */
export const USAGE_RANGE_MS_MAX = 31 * 24 * 3_600_000;
export const USAGE_ITEMS_MAX = 1000;

const count = z.int().min(0);
const Counts = { requests: count, inputs: count, inputTokens: count, outputTokens: count, computeMs: count };

/** Sums of one tenant's settled rows that share model, version, arm and UTC hour. */
export const UsageSum = z
  .object({
    hour: z.string().meta({ description: "The UTC hour, such as 2026-11-23T19" }),
    model: z.string(),
    version: z.int().positive(),
    arm: z.string(),
    ...Counts,
  })
  .meta({ id: "UsageSum" });
export type UsageSum = Readonly<z.infer<typeof UsageSum>>;

/** By hour, model, version and arm. */
export function compareUsageSums(a: UsageSum, b: UsageSum): number {
  return compareTexts(a.hour, b.hour) || compareTexts(a.model, b.model) || a.version - b.version || compareTexts(a.arm, b.arm);
}

const Instant = z.union([z.iso.datetime({ offset: true }), z.iso.date()], {
  error: "must be a date or a time with its zone, such as 2026-11-23 or 2026-11-23T19:00:00Z",
});

/** Rows accepted in [from, to): the last hour unless said, 31 days at most. */
export const UsageQuery = z.object({
  from: Instant.optional(),
  to: Instant.optional(),
  tenant: z.string().optional().meta({ description: "For operators: whose usage; else the key's own tenant" }),
  limit: z.coerce.number().int().min(1).max(USAGE_ITEMS_MAX).default(USAGE_ITEMS_MAX),
  cursor: z.string().max(1024).optional(),
});
export type UsageQuery = z.infer<typeof UsageQuery>;

const OpenHour = z.object({ hour: z.string(), sealed: count, of: count });

/** A tenant's usage; `total` adds up the whole range, whatever the page. */
export const UsageReport = z
  .object({
    tenant: z.string(),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    completeTo: z.iso
      .datetime()
      .meta({ description: "What was accepted before this is in the figures; a re-audit a day later may correct it once" }),
    sealed: count.meta({ description: "How many of the ledger's buckets (minutes × shards) of these hours are closed" }),
    of: count.meta({ description: "How many buckets these hours have" }),
    openHours: z.array(OpenHour).meta({ description: "Hours that are not closed yet; all others of the range are" }),
    total: z.object(Counts),
    items: z.array(UsageSum),
    nextCursor: z.string().exactOptional(),
  })
  .meta({ id: "UsageReport" });
export type UsageReport = z.infer<typeof UsageReport>;
