import * as z from "zod";
import { RevisionStamp } from "../base/revision.ts";
import { Tenant } from "./tenant.ts";

/** Years that what invoices rest on is kept, where the seller does not say: the longest term of the EU's tax laws. */
export const RETENTION_YEARS_DEFAULT = 10;
/** Keys are refused everywhere after 30 s and streams end after 14 minutes: then nothing of the tenant's is written any more. */
export const QUIET_AFTER_MS = 15 * 60_000;

/** What is erased as soon as nothing needs it, in this order: what the last invoice needs comes last. */
export const STEPS = ["keys", "webhooks", "uses", "counters", "answers", "drafts", "events", "identity"] as const;
/** What the law wants kept, and is removed when it does not any more. */
export const LATE_STEPS = ["documents", "creditNotes", "replacements", "invoices", "credits", "balance", "totals", "eventsSince"] as const;
const StepName = z.enum([...STEPS, ...LATE_STEPS]);
export type StepName = z.infer<typeof StepName>;

const Step = z.object({
  /** Revisions, items or objects that were erased. */
  erased: z.int().min(0),
  finishedAt: z.iso.datetime().exactOptional(),
  /** Where the next round goes on. */
  cursor: z.string().exactOptional(),
});
export type Step = z.infer<typeof Step>;

/** The deletion of a tenant: what has been erased, and, once it is over, that it was looked for again and not found. */
export const Deletion = z.object({
  tenant: Tenant.shape.id,
  requestedAt: z.iso.datetime(),
  state: z.enum(["erasing", "waiting", "erased", "removed"]).meta({
    description:
      "`waiting` for the last invoice, which needs name and address; `erased` but for what the law wants kept; `removed` when that is gone, too",
  }),
  waitingFor: z.string().exactOptional(),
  steps: z.partialRecord(StepName, Step),
  /** Then what the law wants kept is removed; what is said before the tenant is erased is what it would be now. */
  keptUntil: z.iso.datetime().exactOptional(),
  verified: z
    .object({ at: z.iso.datetime(), remaining: z.int().min(0).meta({ description: "What was found again that should be gone: 0" }) })
    .exactOptional(),
});
export type Deletion = z.infer<typeof Deletion>;

/** One kind of items, and what became of this tenant's. */
const ReportedPlace = z.object({
  store: z.string().meta({ description: "A table's name or a bucket's" }),
  items: z.string().meta({ description: "How their keys look" }),
  holds: z.string(),
  erased: z.int().exactOptional().meta({ description: "By the step that erases it, which may erase other items, too" }),
  erasedAt: z.iso.datetime().exactOptional(),
  kept: z.object({ what: z.string(), why: z.string(), until: z.iso.datetime().exactOptional() }).exactOptional(),
});
export type ReportedPlace = z.infer<typeof ReportedPlace>;

/** A deletion as the admin API shows it: the report that can be read later. It names every place where the product stores anything. */
export const DeletionRevision = Deletion.extend({ places: z.array(ReportedPlace), revision: RevisionStamp }).meta({ id: "TenantDeletion" });
export type DeletionRevision = z.infer<typeof DeletionRevision>;

/** The group that lists all deletions. */
export const DELETION_GROUP = "deletions";

export function newDeletion(tenant: string, nowMs: number, retentionYears: number): Deletion {
  const requestedAt = new Date(nowMs).toISOString();
  return { tenant, requestedAt, state: "erasing", steps: {}, keptUntil: keptUntil(nowMs, retentionYears) };
}

/** Full years after the one in which the last document can have been made: so that no country's term, from whichever day it counts, is longer. */
export function keptUntil(nowMs: number, retentionYears: number): string {
  return new Date(Date.UTC(new Date(nowMs).getUTCFullYear() + retentionYears + 1, 0, 1)).toISOString();
}

export function stepOf({ steps }: Deletion, name: StepName): Step {
  return steps[name] ?? { erased: 0 };
}
