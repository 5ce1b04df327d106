import { Hono } from "hono";
import * as z from "zod";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { type Page, PageQuery, pageOf } from "../../shared/base/page.ts";
import { CreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import { CreditNoteRevision } from "../../shared/billing/invoices/credit-note.ts";
import {
  type Invoice,
  InvoiceRevision,
  invoiceGroupOf,
  invoiceId,
  isTakenBack,
  NewAdjustment,
  NewCredit,
  NewPayment,
  Voiding,
} from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { INVOICES_PER_MONTH_MAX, NewReplacement, ReplacementRevision, replacementIdOf } from "../../shared/billing/invoices/replacement.ts";
import { Month } from "../../shared/billing/month.ts";
import { InvoicePrices } from "../../shared/billing/prices/price-book.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { TENANT_GROUP } from "../../shared/tenants/tenant.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { pricesOf } from "../own/invoice-prices.ts";
import { type InvoiceDeps, invoiceOf, invoiceReads, shownInvoice } from "../own/invoice-reading.ts";
import { documentPaths } from "../own/invoices.ts";
import { askIssue } from "./ask-issue.ts";
import { adjustInvoice, creditInvoice, type InvoiceChangeDeps, payInvoice, replaceInvoice, takeBack } from "./change-invoices.ts";
import { tenantOf } from "./tenants.ts";

const InvoicesQuery = PageQuery.extend({
  tenant: z.string().optional().meta({ description: "All invoices of a tenant" }),
  month: Month.optional().meta({
    description: "All tenants' invoices of a month; a page may hold fewer than its limit, or more where some are replaced",
  }),
});

/** `/admin/invoices`: what tenants owe. */
export function invoiceRoutes(deps: InvoiceChangeDeps & Pick<Deps, "sealed">) {
  const asked = (c: EdgeContext) => invoiceOf(deps, c.req.param("id") ?? "");
  return new Hono<EdgeEnv>()
    .get("/", async (c) => {
      const page = await listInvoices(deps, checked(c.req.query(), InvoicesQuery));
      return c.json({ ...page, items: page.items.map(shownInvoice) });
    })
    .get("/:id/history", async (c) => {
      const page = await deps.control.invoices.history((await asked(c)).body.id, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shownInvoice) });
    })
    .get("/:id/prices", async (c) => c.json(await pricesOf(deps, await asked(c))))
    .post("/:id/issue", async (c) => {
      const { invoice, isIssued } = await askIssue(deps, c.req.param("id"));
      return c.json(invoice, isIssued ? 200 : 202);
    })
    .post("/:id/pay", async (c) => c.json(await payInvoice(deps, c)))
    .post("/:id/void", async (c) => c.json(await takeBack(deps, c)))
    .post("/:id/replace", async (c) => c.json(await replaceInvoice(deps, c), 201))
    .post("/:id/adjustments", async (c) => c.json(await adjustInvoice(deps, c), 201))
    .post("/:id/credits", async (c) => c.json(await creditInvoice(deps, c), 201))
    .route("/", invoiceReads(deps, asked));
}

async function listInvoices(
  deps: InvoiceDeps,
  { tenant, month, ...page }: z.infer<typeof InvoicesQuery>,
): Promise<Page<Revision<Invoice>>> {
  const { invoices, tenants } = deps.control;
  if ((tenant === undefined) === (month === undefined))
    throw new Failure("invalid_request", "Say either the tenant or the month.", { field: "month" });
  if (tenant !== undefined) return invoices.list(invoiceGroupOf((await tenantOf(deps, tenant)).body.id), page);
  const found = await tenants.list(TENANT_GROUP, page);
  const all = await Promise.all(found.items.map(({ body }) => invoicesOfMonth(deps, invoiceId(body.id, month ?? ""))));
  return { ...found, items: all.flat() };
}

/** A month's invoice, and those that have taken its place since it was taken back. */
async function invoicesOfMonth({ control }: InvoiceDeps, first: string): Promise<Revision<Invoice>[]> {
  const found: Revision<Invoice>[] = [];
  for (let id = first; ; id = replacementIdOf(id)) {
    const invoice = await control.invoices.current(id);
    if (invoice === undefined) return found;
    found.push(invoice);
    if (!isTakenBack(invoice.body) || found.length >= INVOICES_PER_MONTH_MAX) return found;
  }
}

export const invoicePaths: PathGroup = {
  name: "invoices",
  summary: "What tenants owe, have paid and got back",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/invoices",
      summary: "Lists invoices of a tenant, or of a month",
      scope: "billing",
      query: InvoicesQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(InvoiceRevision) },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/invoices/{id}",
      summary: "Shows an invoice: its state, totals, payments and credits",
      scope: "billing",
      answer: { status: 200, summary: "The invoice", schema: InvoiceRevision },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/invoices/{id}/history",
      summary: "Lists what an invoice was, newest first",
      scope: "billing",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(InvoiceRevision) },
      refusals: ["not_found"],
    },
    {
      method: "post",
      path: "/admin/invoices/{id}/pay",
      summary: "Records that an invoice was paid; the same payment again changes nothing",
      scope: "billing",
      body: NewPayment,
      answer: { status: 200, summary: "The invoice", schema: InvoiceRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "post",
      path: "/admin/invoices/{id}/void",
      summary:
        "Takes back an issued invoice that is neither paid nor credited; its number stays taken. One that is, is credited as a whole instead",
      scope: "billing",
      body: Voiding,
      answer: { status: 200, summary: "The invoice", schema: InvoiceRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "post",
      path: "/admin/invoices/{id}/replace",
      summary:
        "Asks for a month to be invoiced again whose invoice is void or credited as a whole, by today's terms and with a new number, in the invoicing function's next round",
      scope: "billing",
      body: NewReplacement,
      answer: {
        status: 201,
        summary: "What was asked, with the new invoice's id; asked again in the same words, the same",
        schema: ReplacementRevision,
      },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "post",
      path: "/admin/invoices/{id}/adjustments",
      summary: "Adds a correction to a draft, as a line of its own from its next computation on",
      scope: "billing",
      body: NewAdjustment,
      answer: { status: 201, summary: "The invoice", schema: InvoiceRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "post",
      path: "/admin/invoices/{id}/credits",
      summary: "Gives some of an issued invoice back, never more than what is left; its credit note is issued in the next round",
      scope: "billing",
      body: NewCredit,
      answer: { status: 201, summary: "The credit note", schema: CreditNoteRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "get",
      path: "/admin/invoices/{id}/credits/{credit}",
      summary: "Shows a credit note",
      scope: "billing",
      answer: { status: 200, summary: "The credit note", schema: CreditNoteRevision },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/invoices/{id}/prices",
      summary: "Gives the price book's revisions that an invoice follows from",
      scope: "billing",
      answer: { status: 200, summary: "The revisions, in order", schema: InvoicePrices },
      refusals: ["not_found"],
    },
    {
      method: "post",
      path: "/admin/invoices/{id}/issue",
      summary: "Asks for an invoice; refused with how much of its month is sealed and audited, before all of it is",
      scope: "billing",
      answer: { status: 200, summary: "The issued invoice", schema: InvoiceRevision },
      otherwise: { status: 202, summary: "It is issued in the invoicing function's next round" },
      refusals: ["not_found", "conflict"],
    },
    ...documentPaths("/admin/invoices/{id}", { scope: "billing", what: "an invoice", schema: InvoiceDocument }),
    ...documentPaths("/admin/invoices/{id}/credits/{credit}", { scope: "billing", what: "a credit note", schema: CreditDocument }),
  ],
};
