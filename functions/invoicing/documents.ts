import { sha256Hex } from "../../shared/base/hash.ts";
import { canonicalJson } from "../../shared/billing/canonical-json.ts";
import type { CreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import { CONTENT_TYPES, type DocumentStore, documentKey, draftKey } from "../../shared/billing/invoices/document-store.ts";
import type { Format, StoredDocument, StoredDocuments } from "../../shared/billing/invoices/invoice.ts";
import { creditCsv, invoiceCsv } from "../../shared/billing/invoices/invoice-csv.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { InvoicingDeps } from "./deps.ts";

type Stores = Pick<InvoicingDeps, "documents" | "pdf">;

/** Writes a draft over the one before. */
export async function putDraft({ documents }: Stores, document: InvoiceDocument): Promise<StoredDocument> {
  const bytes = Buffer.from(canonicalJson(document));
  const key = draftKey(document.id);
  await documents.put(key, bytes, CONTENT_TYPES.json);
  return { key, sha256: sha256Hex(bytes), bytes: bytes.length };
}

/** A document that waits for its number. */
export async function putFrozen({ documents }: Stores, document: InvoiceDocument): Promise<StoredDocument> {
  return put(documents, document.id, "json", Buffer.from(canonicalJson(document)));
}

export async function putInvoice({ documents, pdf }: Stores, document: InvoiceDocument): Promise<StoredDocuments> {
  return {
    json: await put(documents, document.id, "json", Buffer.from(canonicalJson(document))),
    csv: await put(documents, document.id, "csv", Buffer.from(invoiceCsv(document))),
    pdf: await put(documents, document.id, "pdf", await pdf.invoice(document)),
  };
}

export async function putCredit({ documents, pdf }: Stores, document: CreditDocument): Promise<StoredDocuments> {
  return {
    json: await put(documents, document.id, "json", Buffer.from(canonicalJson(document))),
    csv: await put(documents, document.id, "csv", Buffer.from(creditCsv(document))),
    pdf: await put(documents, document.id, "pdf", await pdf.credit(document)),
  };
}

/** A kept document, if its bytes are those that it was kept for. */
export async function readInvoiceDocument({ documents }: Pick<Stores, "documents">, stored: StoredDocument): Promise<InvoiceDocument> {
  const bytes = await documents.get(stored.key);
  if (bytes === undefined || sha256Hex(bytes) !== stored.sha256) throw new Error(`the document ${stored.key} is missing or damaged`);
  return InvoiceDocument.parse(JSON.parse(Buffer.from(bytes).toString()));
}

async function put(documents: DocumentStore, bearer: string, format: Format, bytes: Uint8Array): Promise<StoredDocument> {
  const sha256 = sha256Hex(bytes);
  const key = documentKey(bearer, sha256, format);
  await documents.put(key, bytes, CONTENT_TYPES[format]);
  return { key, sha256, bytes: bytes.length };
}
