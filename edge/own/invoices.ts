import { Hono } from "hono";
import * as z from "zod";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import { CreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import { CreditNoteRevision } from "../../shared/billing/invoices/credit-note.ts";
import { FORMATS, type Format, InvoiceRevision, invoiceGroupOf } from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { InvoicePrices } from "../../shared/billing/prices/price-book.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked } from "../http.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathDescription, PathGroup } from "../openapi.ts";
import { ownPricesOf } from "./invoice-prices.ts";
import { type InvoiceDeps, invoiceOf, invoiceReads, shownInvoice } from "./invoice-reading.ts";

/** `/v1/invoices`: a tenant's own. */
export function ownInvoiceRoutes(deps: InvoiceDeps) {
  const own = (c: EdgeContext) => invoiceOf(deps, c.req.param("id") ?? "", c.get("principal").tenant);
  return new Hono<EdgeEnv>()
    .use(requireScope("usage", "billing"))
    .get("/", async (c) => {
      const page = await deps.control.invoices.list(invoiceGroupOf(c.get("principal").tenant), checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shownInvoice) });
    })
    .get("/:id/prices", async (c) => c.json(await ownPricesOf(deps, await own(c))))
    .route("/", invoiceReads(deps, own));
}

export const ownInvoicePaths: PathGroup = {
  name: "own invoices",
  summary: "A tenant's own invoices",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/invoices",
      summary: "Lists the tenant's invoices, drafts among them",
      scope: "usage",
      query: PageQuery,
      answer: { status: 200, summary: "One page, by month", schema: pageOf(InvoiceRevision) },
    },
    {
      method: "get",
      path: "/v1/invoices/{id}",
      summary: "Shows an invoice: its state, totals, payments and credits",
      scope: "usage",
      answer: { status: 200, summary: "The invoice", schema: InvoiceRevision },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/v1/invoices/{id}/credits/{credit}",
      summary: "Shows a credit note",
      scope: "usage",
      answer: { status: 200, summary: "The credit note", schema: CreditNoteRevision },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/v1/invoices/{id}/prices",
      summary: "Gives the price book's revisions that an invoice follows from",
      scope: "usage",
      answer: { status: 200, summary: "The revisions, in order", schema: InvoicePrices },
      refusals: ["not_found"],
    },
    ...documentPaths("/v1/invoices/{id}", { scope: "usage", what: "an invoice", schema: InvoiceDocument }),
    ...documentPaths("/v1/invoices/{id}/credits/{credit}", { scope: "usage", what: "a credit note", schema: CreditDocument }),
  ],
};

type Documented = { readonly scope: "usage" | "billing"; readonly what: string; readonly schema: z.ZodType };

/** The three paths of a thing's documents. */
export function documentPaths(path: string, { scope, what, schema }: Documented): PathDescription[] {
  const contents: Readonly<Record<Format, { readonly schema: z.ZodType; readonly contentType?: string }>> = {
    json: { schema },
    csv: { schema: z.string(), contentType: "text/csv" },
    pdf: { schema: z.string(), contentType: "application/pdf" },
  };
  return FORMATS.map((format) => ({
    method: "get" as const,
    path: `${path}/${format}`,
    summary: `Gives the ${format.toUpperCase()} of ${what}${format === "json" ? "" : " that is issued"}`,
    scope,
    answer: { status: 200, summary: "The document as it is kept", ...contents[format] },
    refusals: ["not_found", "conflict"] as const,
  }));
}
