import { eachItem, type PageQuery } from "../../shared/base/page.ts";
import { creditGroupOf, creditKeyOf } from "../../shared/billing/balances/credit.ts";
import { type CreditNote, creditNoteGroupOf } from "../../shared/billing/invoices/credit-note.ts";
import { type Invoice, invoiceGroupOf, isIssued, partsOfInvoiceId, type StoredDocument } from "../../shared/billing/invoices/invoice.ts";
import { type Replacement, replacementGroupOf } from "../../shared/billing/invoices/replacement.ts";
import { type Month, monthAfter, monthAt } from "../../shared/billing/month.ts";
import type { Swept } from "../../shared/dynamo/eraser.ts";
import type { Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { BALANCES, CONTROL, SEALS } from "../../shared/dynamo/tables.ts";
import { eraseEvents } from "../../shared/events/event-eraser.dynamo.ts";
import { type LATE_STEPS, stepOf } from "../../shared/tenants/deletion.ts";
import { type ErasingDeps, WRITES_MAX } from "./erase-deps.ts";
import { creditNoteLog, invoiceLog, replacementLog } from "./erase-logs.ts";
import { eachOf, type Steps, tracesOf, type Work } from "./erase-steps.ts";

/** Months of credit notes that are looked through: fifty years of an installation. */
const MONTHS_MAX = 600;

/** Removes what the law wanted kept. Documents go before the logs in which their keys stand. */
export function lateStepsOf(deps: ErasingDeps): Steps<(typeof LATE_STEPS)[number]> {
  const { eraser } = deps;
  const invoicesOf = ({ deletion }: Work, name: "documents" | "invoices") => ({
    list: (page: PageQuery) => deps.invoices.list(invoiceGroupOf(deletion.tenant), page),
    cursor: stepOf(deletion, name).cursor,
  });
  return {
    documents: (work) => eachOf(invoicesOf(work, "documents"), ({ body }) => removeDocuments(deps, deps.invoices, body.id)),
    creditNotes: (work) =>
      eachAsked(deps, work, {
        ...{ name: "creditNotes", log: deps.creditNotes, groupOf: creditNoteGroupOf, invoiceOf: (note: CreditNote) => note.invoice },
        erase: async (id) => {
          const removed = await removeDocuments(deps, deps.creditNotes, id);
          return removed.erased + (await eraser.scrub(creditNoteLog(id), WRITES_MAX)).erased;
        },
      }),
    replacements: (work) =>
      eachAsked(deps, work, {
        ...{
          name: "replacements",
          log: deps.replacements,
          groupOf: replacementGroupOf,
          invoiceOf: (each: Replacement) => each.replaces.id,
        },
        erase: async (id) => (await eraser.scrub(replacementLog(id), WRITES_MAX)).erased,
      }),
    invoices: (work) => eachOf(invoicesOf(work, "invoices"), ({ body }) => eraser.scrub(invoiceLog(body.id), WRITES_MAX)),
    credits: ({ deletion: { tenant } }) =>
      eachOf({ list: (page) => deps.credits.list(creditGroupOf(tenant), page), cursor: undefined }, ({ body }) =>
        eraser.deletePartition({ table: CONTROL, pk: `credit#${creditKeyOf(body)}` }, WRITES_MAX),
      ),
    balance: async ({ deletion: { tenant } }) => {
      const erased = await eraser.deleteItems(BALANCES, [{ pk: `balance#${tenant}` }]);
      return { erased, isDone: true };
    },
    eventsSince: async ({ deletion: { tenant } }) => eraseEvents(eraser, await tracesOf(deps, tenant), WRITES_MAX),
    totals: ({ deletion: { tenant } }) => eraser.deletePartition({ table: SEALS, pk: `t#${tenant}` }, WRITES_MAX),
  };
}

type Kept = Invoice | CreditNote;

/** Of every revision: a frozen document and drafts have keys of their own. */
async function removeDocuments<T extends Kept>({ records }: ErasingDeps, log: RevisionLog<T>, id: string): Promise<Swept> {
  const keys = new Set<string>();
  for await (const { body } of eachItem<Revision<T>>((page) => log.history(id, page)))
    for (const { key } of documentsOf(body)) keys.add(key);
  for (const key of keys) await records.remove(key);
  return { erased: keys.size, isDone: true };
}

function documentsOf(kept: Kept): StoredDocument[] {
  if ("document" in kept) return [kept.document];
  if ("documents" in kept) return Object.values(kept.documents);
  return "month" in kept && isIssued(kept) ? Object.values(kept.issue.documents) : [];
}

type Asked<T> = {
  readonly name: "creditNotes" | "replacements";
  readonly log: RevisionLog<T>;
  readonly groupOf: (month: Month) => string;
  readonly invoiceOf: (body: T) => string;
  readonly erase: (id: string) => Promise<number>;
};

/** What is listed by the month in which it was asked for: from the tenant's first invoice until now, and a round ends between two months. */
async function eachAsked<T extends { readonly id: string }>(
  deps: ErasingDeps,
  { deletion, nowMs }: Work,
  { name, log, groupOf, invoiceOf, erase }: Asked<T>,
): Promise<Swept> {
  const { tenant } = deletion;
  let erased = 0;
  const last = monthAt(nowMs);
  let month = stepOf(deletion, name).cursor ?? (await firstMonth(deps, tenant));
  for (let count = 0; month !== undefined && month <= last && count < MONTHS_MAX; count += 1, month = monthAfter(month)) {
    if (erased >= WRITES_MAX) return { erased, isDone: false, cursor: month };
    const group = groupOf(month);
    for await (const { body } of eachItem((page) => log.list(group, page)))
      if (partsOfInvoiceId(invoiceOf(body))?.tenant === tenant) erased += await erase(body.id);
  }
  return { erased, isDone: true };
}

async function firstMonth({ invoices }: ErasingDeps, tenant: string): Promise<Month | undefined> {
  let first: Month | undefined;
  for await (const { body } of eachItem((page) => invoices.list(invoiceGroupOf(tenant), page)))
    if (first === undefined || body.month < first) first = body.month;
  return first;
}
