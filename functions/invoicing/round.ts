import type { Closed } from "../../shared/billing/invoices/invoice.ts";
import type { InvoicingProgress } from "../../shared/billing/invoices/invoicing-progress.ts";
import { monthAfter, monthAt, monthBefore, rangeOfMonth } from "../../shared/billing/month.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { isolated } from "../../shared/schedule/isolated.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { TENANT_GROUP, type Tenant } from "../../shared/tenants/tenant.ts";
import { billMonth, isAudited, type Outcome } from "./bill-month.ts";
import { finishPendingCredit, settleCreditNotes } from "./credit-notes.ts";
import type { InvoicingDeps } from "./deps.ts";
import { firstMonth, wasThere } from "./first-month.ts";
import { finishPendingInvoice } from "./issue.ts";
import { settleReplacements } from "./replacements.ts";
import { tellChanges } from "./tell-changes.ts";
import { inMonth, wasClosedBefore } from "./terms.ts";

/** Tenants that a round looks at, and months that it computes: the next one goes on from there. */
const TENANTS_MAX = 500;
const COMPUTED_MAX = 50;
const PAGE_TENANTS = 50;

type Call = Parameters<Round>[0];
type Work = Call & { readonly left: { tenants: number; computed: number } };
/** A month, how much of it is closed, and the page of tenants to look at. */
type Place = { readonly month: string; readonly closed: Closed; readonly cursor?: string | undefined; readonly isDone: boolean };

/**
 * One round of invoicing: finishes what somebody was killed in, tells what people did to invoices, then goes through the months that are not done, the oldest first, and through all
 * tenants in each. A round that is late finds months to catch up with; one that has nothing to do reads a few items.
 */
export function createRound(deps: InvoicingDeps): Round {
  return async (call) => {
    await finishPendingInvoice(deps);
    await finishPendingCredit(deps);
    const work = { ...call, left: { tenants: TENANTS_MAX, computed: COMPUTED_MAX } };
    const thisMonth = monthAt(call.nowMs);
    const begun = (await deps.progress.read()) ?? { doneThrough: monthBefore(await firstMonth(deps, call.nowMs)) };
    const toldThrough = await tellChanges(deps, { ...call, toldThrough: begun.toldThrough });
    let progress: InvoicingProgress = { ...begun, toldThrough };
    for (let month = progress.at?.month ?? monthAfter(progress.doneThrough); month <= thisMonth; month = monthAfter(month)) {
      const end = await billTenants(deps, await placeIn(deps, month, progress), work);
      if (!end.isOver) {
        await deps.progress.write({ ...progress, at: placeOf(end) });
        return { hasMore: true };
      }
      const areCredited = await settleCreditNotes(deps, month, call);
      const areReplaced = await settleReplacements(deps, month, call);
      const isNext = month === monthAfter(progress.doneThrough) && month < thisMonth;
      progress = { doneThrough: isNext && end.isDone && areCredited && areReplaced ? month : progress.doneThrough, toldThrough };
    }
    await deps.progress.write(progress);
    return { hasMore: false };
  };
}

async function placeIn({ seals }: InvoicingDeps, month: string, { at }: InvoicingProgress): Promise<Place> {
  const closed = await seals.completeness(rangeOfMonth(month));
  return at?.month === month ? { closed, ...at } : { month, closed, isDone: true };
}

function placeOf({ month, cursor, isDone }: Place): NonNullable<InvoicingProgress["at"]> {
  return { month, isDone, ...(cursor === undefined ? {} : { cursor }) };
}

/** Goes through the tenants until none are left or the round has done its share. */
async function billTenants(deps: InvoicingDeps, start: Place, work: Work): Promise<Place & { isOver: boolean }> {
  const isFinal = isAudited({ ...start, nowMs: work.nowMs });
  for (let place = start; ; ) {
    if (work.signal.aborted || work.left.tenants <= 0 || work.left.computed <= 0) return { ...place, isOver: false };
    const { cursor } = place;
    const page = await deps.tenants.list(TENANT_GROUP, { limit: PAGE_TENANTS, ...(cursor === undefined ? {} : { cursor }) });
    let { isDone } = place;
    for (const tenant of page.items) {
      const outcome = await billTenant(deps, tenant, { place, work });
      isDone &&= isFinal && (outcome === "done" || outcome === "issued");
    }
    place = { ...place, isDone, cursor: page.nextCursor };
    if (page.nextCursor === undefined) return { ...place, isOver: true };
  }
}

async function billTenant(
  deps: InvoicingDeps,
  tenant: Revision<Tenant>,
  { place, work }: { place: Place; work: Work },
): Promise<Outcome | "failed"> {
  const { month, closed } = place;
  work.left.tenants -= 1;
  const trouble = { message: "a month could not be billed", of: { tenant: tenant.body.id, month } };
  const outcome = await isolated(deps.log, trouble, async () => {
    if (!(await wasThere(deps, tenant, month))) return "done";
    const terms = { tenant: await inMonth(deps, tenant, month), isOver: await wasClosedBefore(deps, tenant, month) };
    return billMonth(deps, { ...terms, month, closed, nowMs: work.nowMs });
  });
  if (outcome === "drafted" || outcome === "issued") work.left.computed -= 1;
  return outcome ?? "failed";
}
