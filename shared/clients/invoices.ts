import { pageOf } from "../base/page.ts";
import { CreditNoteRevision } from "../billing/invoices/credit-note.ts";
import {
  type Format,
  InvoiceRevision,
  type NewAdjustment,
  type NewCredit,
  type NewPayment,
  type Voiding,
} from "../billing/invoices/invoice.ts";
import { type NewReplacement, ReplacementRevision } from "../billing/invoices/replacement.ts";
import { type SellerChange, SellerRevision } from "../billing/invoices/seller.ts";
import { InvoicePrices } from "../billing/prices/price-book.ts";
import { type Http, ifMatch } from "./http.ts";

type Query = Readonly<Record<string, string | number | undefined>>;

/** Invoices below `/v1/invoices` or `/admin/invoices`: what both may read. */
export function invoicesOf(http: Http, root: readonly string[]) {
  return {
    list: (query: Query) => http.ask({ method: "GET", path: root, query, answer: pageOf(InvoiceRevision) }),
    show: (id: string) => http.ask({ method: "GET", path: [...root, id], answer: InvoiceRevision }),
    prices: (id: string) => http.ask({ method: "GET", path: [...root, id, "prices"], answer: InvoicePrices }),
    document: async (id: string, format: Format) => (await http.bytes({ method: "GET", path: [...root, id, format] })).bytes,
    creditNote: (id: string, credit: string) =>
      http.ask({ method: "GET", path: [...root, id, "credits", credit], answer: CreditNoteRevision }),
    creditDocument: async (id: string, credit: string, format: Format) =>
      (await http.bytes({ method: "GET", path: [...root, id, "credits", credit, format] })).bytes,
  };
}

/** What operators do with invoices. */
export function invoiceChangesOf(http: Http) {
  const post = (id: string, verb: string) => ({ method: "POST", path: ["admin", "invoices", id, verb] }) as const;
  return {
    issue: (id: string) => http.ask({ ...post(id, "issue"), answer: InvoiceRevision }),
    pay: (id: string, body: NewPayment) => http.ask({ ...post(id, "pay"), body, answer: InvoiceRevision }),
    void: (id: string, body: Voiding) => http.ask({ ...post(id, "void"), body, answer: InvoiceRevision }),
    replace: (id: string, body: NewReplacement) => http.ask({ ...post(id, "replace"), body, answer: ReplacementRevision }),
    adjust: (id: string, body: NewAdjustment) => http.ask({ ...post(id, "adjustments"), body, answer: InvoiceRevision }),
    credit: (id: string, body: NewCredit) => http.ask({ ...post(id, "credits"), body, answer: CreditNoteRevision }),
  };
}

export function sellerOf(http: Http) {
  const path = ["admin", "seller"];
  return {
    show: () => http.ask({ method: "GET", path, answer: SellerRevision }),
    set: (body: SellerChange, after?: number) => http.ask({ method: "PUT", path, body, headers: ifMatch(after), answer: SellerRevision }),
  };
}
