import { type Invoice, isIssued } from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { InvoicePrices } from "../../shared/billing/prices/price-book.ts";
import { readBook } from "../../shared/billing/prices/read-book.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { runBounded } from "../../shared/models/run-bounded.ts";
import { isVisibleTo } from "../../shared/models/version.ts";
import type { Deps } from "../deps.ts";
import { draftGone } from "./invoice-reading.ts";

type PricesDeps = Pick<Deps, "documents"> & { readonly control: Pick<Deps["control"], "prices" | "models"> };

const MODELS_READ_AT_ONCE = 16;

/** The revisions of the book that priced an invoice, for whoever computes it anew; of a draft, those of today. */
export async function pricesOf(deps: PricesDeps, invoice: Revision<Invoice>): Promise<InvoicePrices> {
  return pricesBehind(deps, await documentOf(deps, invoice.body));
}

/**
 * The same as its tenant may see them: a book is many tenants', and what it says of a model that only others may use would name that model. What the invoice has lines of, or
 * is due whether it is used or not, stays, so that the same lines follow.
 */
export async function ownPricesOf(deps: PricesDeps, invoice: Revision<Invoice>): Promise<InvoicePrices> {
  const document = await documentOf(deps, invoice.body);
  const { name, revisions } = await pricesBehind(deps, document);
  const charged = new Set([...document.lines, ...document.unpriced].map(({ model }) => model));
  const others = await modelsOfOthers(deps, { revisions, tenant: document.buyer.tenant });
  const shown = revisions.map(({ revision, body }) => {
    const entries = body.entries.filter(
      ({ model, perSecond }) => model === undefined || perSecond?.reserved !== undefined || charged.has(model) || !others.has(model),
    );
    return { revision, body: { ...body, entries } };
  });
  return { name, revisions: shown };
}

async function pricesBehind({ control }: PricesDeps, { priceBook: { name } }: InvoiceDocument): Promise<InvoicePrices> {
  const book = await readBook(control.prices, name);
  return { name, revisions: book.map(({ revision, body }) => ({ revision, body })) }; // who made them and why is no tenant's business
}

type Whose = Pick<InvoicePrices, "revisions"> & { readonly tenant: string };

/** Of the models that a book names, those that this tenant may not see. */
async function modelsOfOthers({ control }: PricesDeps, { revisions, tenant }: Whose): Promise<ReadonlySet<string>> {
  const named = new Set(revisions.flatMap(({ body }) => body.entries.flatMap(({ model }) => (model === undefined ? [] : [model]))));
  const others = new Set<string>();
  await runBounded([...named], MODELS_READ_AT_ONCE, async (name) => {
    const model = await control.models.current(name);
    if (model !== undefined && !isVisibleTo(model.body, tenant)) others.add(name);
  });
  return others;
}

/** What an invoice says. */
export async function documentOf({ documents }: Pick<PricesDeps, "documents">, body: Invoice): Promise<InvoiceDocument> {
  const stored = isIssued(body) ? body.issue.documents.json : body.document;
  const bytes = await documents.get(stored.key);
  if (bytes === undefined && body.state === "draft") throw draftGone(body.id);
  if (bytes === undefined) throw new Error(`the document ${stored.key} is missing`);
  return InvoiceDocument.parse(JSON.parse(Buffer.from(bytes).toString()));
}
