import * as z from "zod";
import { RevisionStamp } from "../base/revision.ts";
import { Tenant } from "./tenant.ts";

/** Years that what invoices rest on is kept after a tenant's deletion: the longest term of the EU's tax laws. */
const INVOICES_KEPT_YEARS = 10;
/** Keys are refused everywhere after 30 s and streams end after 14 minutes: then nothing of the tenant's is written any more. */
export const QUIET_AFTER_MS = 15 * 60_000;

/** What is erased, in this order; what the last invoice needs comes last. */
export const STEPS = ["keys", "webhooks", "uses", "answers", "identity"] as const;
export type StepName = (typeof STEPS)[number];

const Step = z.object({
  /** Revisions or items that were erased. */
  erased: z.int().min(0),
  finishedAt: z.iso.datetime().exactOptional(),
  /** Where the next round goes on. */
  cursor: z.string().exactOptional(),
});
export type Step = z.infer<typeof Step>;

const Kept = z.object({ what: z.string(), why: z.string(), until: z.iso.datetime().exactOptional() });

/** The deletion of a tenant: what has been erased, what is kept and why, and, once it is over, that it was looked for again and not found. */
export const Deletion = z.object({
  tenant: Tenant.shape.id,
  requestedAt: z.iso.datetime(),
  state: z.enum(["erasing", "waiting", "erased"]).meta({ description: "`waiting` for the last invoice, which needs name and address" }),
  waitingFor: z.string().exactOptional(),
  steps: z.object({ keys: Step, webhooks: Step, uses: Step, answers: Step, identity: Step }),
  kept: z.array(Kept),
  verified: z
    .object({ at: z.iso.datetime(), remaining: z.int().min(0).meta({ description: "What was found again that should be gone: 0" }) })
    .exactOptional(),
});
export type Deletion = z.infer<typeof Deletion>;

/** A deletion as the admin API shows it: the report that can be read later. */
export const DeletionRevision = Deletion.extend({ revision: RevisionStamp }).meta({ id: "TenantDeletion" });
export type DeletionRevision = z.infer<typeof DeletionRevision>;

/** The group that lists all deletions. */
export const DELETION_GROUP = "deletions";

export function newDeletion(tenant: string, nowMs: number): Deletion {
  const nothing = { erased: 0 };
  return {
    tenant,
    requestedAt: new Date(nowMs).toISOString(),
    state: "erasing",
    steps: { keys: nothing, webhooks: nothing, uses: nothing, answers: nothing, identity: nothing },
    kept: keptAfter(nowMs),
  };
}

/** Said to whoever reads the report, so it holds no more than it must. */
function keptAfter(nowMs: number): Deletion["kept"] {
  const end = new Date(nowMs);
  end.setUTCFullYear(end.getUTCFullYear() + INVOICES_KEPT_YEARS);
  const until = end.toISOString();
  return [
    { what: "invoices, credit notes, balances and payments", why: "they must be shown to tax authorities", until },
    {
      what: "usage rows, seals and totals",
      why: "invoices are recomputed from them; they hold ids and counts, and neither names nor texts",
      until,
    },
    { what: "who changed what, when and why", why: "the trail of operators' changes; bodies are erased" },
    { what: "the tenant's id", why: "so that nobody gets it a second time" },
    { what: "limits' counters", why: "numbers without any content, which the next request of that name would overwrite" },
    { what: "large kept answers", why: "they end by the bucket's lifecycle", until: new Date(nowMs + 2 * 86_400_000).toISOString() },
  ];
}
