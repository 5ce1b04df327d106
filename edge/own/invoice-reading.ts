import { Hono } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { type CreditNote, type CreditNoteRevision, creditNoteId } from "../../shared/billing/invoices/credit-note.ts";
import { CONTENT_TYPES } from "../../shared/billing/invoices/document-store.ts";
import {
  Credit,
  FORMATS,
  type Format,
  type Invoice,
  type InvoiceRevision,
  isIssued,
  leftMinorOf,
  partsOfInvoiceId,
  type StoredDocument,
} from "../../shared/billing/invoices/invoice.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { stamped } from "../admin/change.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";

export type InvoiceDeps = Pick<Deps, "clock" | "documents"> & {
  readonly control: Pick<Deps["control"], "tenants" | "invoices" | "creditNotes" | "replacements" | "sellers" | "prices" | "models">;
};

/** An invoice by its id; a tenant's own if one is given. Fails with `not_found` in the same words whether it is another's or nobody's. */
export async function invoiceOf({ control }: InvoiceDeps, id: string, ofTenant?: string): Promise<Revision<Invoice>> {
  const parts = partsOfInvoiceId(id);
  const isTheirs = parts !== undefined && (ofTenant === undefined || parts.tenant === ofTenant);
  const invoice = isTheirs ? await control.invoices.current(id) : undefined;
  if (invoice === undefined) throw new Failure("not_found", `There is no invoice '${id.slice(0, 100)}'.`, { field: "id" });
  return invoice;
}

export async function creditNoteOf(deps: InvoiceDeps, of: { invoice: string; credit: string }): Promise<Revision<CreditNote>> {
  const isOne = Credit.shape.id.safeParse(of.credit).success;
  const note = isOne ? await deps.control.creditNotes.current(creditNoteId(of.invoice, of.credit)) : undefined;
  if (note === undefined)
    throw new Failure("not_found", `There is no credit note '${of.credit.slice(0, 100)}' of this invoice.`, { field: "credit" });
  return note;
}

export function shownInvoice(invoice: Revision<Invoice>): InvoiceRevision {
  const { body } = invoice;
  // Each state has its own form, so the compiler wants each of them said.
  if (body.state === "draft" || body.state === "frozen") return stamped(body, invoice);
  return stamped({ ...body, leftMinor: `${leftMinorOf(body)}` }, invoice);
}

export function shownNote(note: Revision<CreditNote>): CreditNoteRevision {
  return stamped(note.body, note);
}

/** Of a deleted tenant: it is erased, and no invoice comes of it any more. */
export function draftGone(id: string): Failure {
  return new Failure("not_found", `The document of the draft ${id} is erased.`, { field: "id" });
}

/** What there is to read of one invoice, on both ways to it: its state, its credit notes and the documents of both. `asked` finds it, if it may be seen. */
export function invoiceReads(deps: InvoiceDeps, asked: (c: EdgeContext) => Promise<Revision<Invoice>>) {
  const askedNote = async (c: EdgeContext) =>
    creditNoteOf(deps, { invoice: (await asked(c)).body.id, credit: c.req.param("credit") ?? "" });
  const routes = new Hono<EdgeEnv>()
    .get("/:id", async (c) => c.json(shownInvoice(await asked(c))))
    .get("/:id/credits/:credit", async (c) => c.json(shownNote(await askedNote(c))));
  for (const format of FORMATS) {
    routes.get(`/:id/${format}`, async (c) => answerInvoiceDocument(deps, c, await asked(c), format));
    routes.get(`/:id/credits/:credit/${format}`, async (c) => answerCreditDocument(deps, c, await askedNote(c), format));
  }
  return routes;
}

/** Answers an invoice's document; a draft has its JSON only. */
async function answerInvoiceDocument(deps: InvoiceDeps, c: EdgeContext, { body }: Revision<Invoice>, format: Format): Promise<Response> {
  if (isIssued(body)) return answerDocument(deps, c, { stored: body.issue.documents[format], format, name: body.issue.name });
  if (format !== "json")
    throw new Failure("conflict", `The invoice ${body.id} is not issued yet, so there is no ${format.toUpperCase()} of it.`);
  return answerDocument(deps, c, { stored: body.document, format, name: body.id, isDraft: body.state === "draft" });
}

async function answerCreditDocument(deps: InvoiceDeps, c: EdgeContext, { body }: Revision<CreditNote>, format: Format): Promise<Response> {
  if (body.state !== "issued") throw new Failure("conflict", `The credit note ${body.id} is ${body.state}: it has no documents yet.`);
  return answerDocument(deps, c, { stored: body.documents[format], format, name: body.name });
}

type Kept = { readonly stored: StoredDocument; readonly format: Format; readonly name: string; readonly isDraft?: boolean };

/** The bytes as they were kept: what does not hash to its digest is never given out. A draft is written over, so its digest may be a moment older. */
async function answerDocument(
  { documents }: InvoiceDeps,
  c: EdgeContext,
  { stored, format, name, isDraft = false }: Kept,
): Promise<Response> {
  const bytes = await documents.get(stored.key);
  if (bytes === undefined && isDraft) throw draftGone(name);
  if (bytes === undefined || (!isDraft && sha256Hex(bytes) !== stored.sha256))
    throw new Error(`the document ${stored.key} is missing or damaged`);
  return c.body(new Uint8Array(bytes), 200, {
    "content-type": CONTENT_TYPES[format],
    "content-disposition": `attachment; filename="${name}.${format}"`,
    ...(isDraft ? {} : { etag: `"${stored.sha256}"` }),
    "x-content-type-options": "nosniff",
  });
}
