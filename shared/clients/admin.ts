import type { z } from "zod";
import { AuditEntry, type AuditQuery } from "../audit/audit.ts";
import { type Page, type PageQuery, pageOf } from "../base/page.ts";
import { BalanceReport, CreditRevision, type NewAdjustment, type NewGrant } from "../billing/balances/credit.ts";
import { type PriceBookChange, PriceBookRevision } from "../billing/prices/price-book.ts";
import { CreatedKey, type KeyChange, KeyRevision, type KeyRotation, type NewKey } from "../keys/key-requests.ts";
import { type NewPerson, type PersonChange, PersonRevision } from "../people/person.ts";
import { type SplitChange, SplitRevision } from "../routing/split.ts";
import { Status } from "../status/status.ts";
import { DeletionRevision } from "../tenants/deletion.ts";
import { type NewBilling, type NewTenant, type TenantChange, TenantRevision } from "../tenants/tenant.ts";
import { type Http, ifMatch } from "./http.ts";
import { invoiceChangesOf, invoicesOf, sellerOf } from "./invoices.ts";
import { webhooksOf } from "./webhooks.ts";

type PageAsk = Partial<PageQuery>;
type RotationAsk = Partial<KeyRotation>;

/** The admin API, for operators: one function a path, failures as `Failure`. `after` is the revision that a change rests on (`If-Match`). */
export type AdminClient = ReturnType<typeof createAdminClient>;

export function createAdminClient(http: Http) {
  return {
    status: () => http.ask({ method: "GET", path: ["admin", "status"], answer: Status }),
    tenants: tenantsOf(http),
    keys: keysOf(http),
    people: peopleOf(http),
    audit: (query: Partial<AuditQuery>) => listOf(http, { path: ["admin", "audit"], query, item: AuditEntry }),
    splits: splitsOf(http),
    prices: pricesOf(http),
    balances: balancesOf(http),
    invoices: { ...invoicesOf(http, ["admin", "invoices"]), ...invoiceChangesOf(http) },
    seller: sellerOf(http),
    webhooks: webhooksOf(http, ["admin", "webhooks"]),
  };
}

function tenantsOf(http: Http) {
  const root = ["admin", "tenants"];
  return {
    create: (body: NewTenant) => http.ask({ method: "POST", path: root, body, answer: TenantRevision }),
    list: (page: PageAsk) => listOf(http, { path: root, query: page, item: TenantRevision }),
    show: (id: string) => http.ask({ method: "GET", path: [...root, id], answer: TenantRevision }),
    change: (id: string, body: TenantChange, after?: number) =>
      http.ask({ method: "PATCH", path: [...root, id], body, headers: ifMatch(after), answer: TenantRevision }),
    bill: (id: string, body: NewBilling, after?: number) =>
      http.ask({ method: "PUT", path: [...root, id, "billing"], body, headers: ifMatch(after), answer: TenantRevision }),
    close: (id: string, why?: string) =>
      http.ask({ method: "POST", path: [...root, id, "close"], headers: reason(why), answer: TenantRevision }),
    delete: (id: string, why?: string) =>
      http.ask({ method: "DELETE", path: [...root, id], headers: reason(why), answer: DeletionRevision }),
    deletion: (id: string) => http.ask({ method: "GET", path: [...root, id, "deletion"], answer: DeletionRevision }),
    history: (id: string, page: PageAsk) => listOf(http, { path: [...root, id, "history"], query: page, item: TenantRevision }),
  };
}

function keysOf(http: Http) {
  const root = ["admin", "keys"];
  return {
    create: (body: NewKey) => http.ask({ method: "POST", path: root, body, answer: CreatedKey }),
    list: (tenant: string, page: PageAsk) => listOf(http, { path: root, query: { tenant, ...page }, item: KeyRevision }),
    show: (id: string) => http.ask({ method: "GET", path: [...root, id], answer: KeyRevision }),
    change: (id: string, body: KeyChange, after?: number) =>
      http.ask({ method: "PATCH", path: [...root, id], body, headers: ifMatch(after), answer: KeyRevision }),
    rotate: (id: string, body: RotationAsk) => http.ask({ method: "POST", path: [...root, id, "rotate"], body, answer: CreatedKey }),
    revoke: (id: string, why?: string) => http.ask({ method: "DELETE", path: [...root, id], headers: reason(why), answer: KeyRevision }),
  };
}

function peopleOf(http: Http) {
  const root = ["admin", "people"];
  return {
    create: (body: NewPerson) => http.ask({ method: "POST", path: root, body, answer: PersonRevision }),
    list: (page: PageAsk) => listOf(http, { path: root, query: page, item: PersonRevision }),
    show: (id: string) => http.ask({ method: "GET", path: [...root, id], answer: PersonRevision }),
    change: (id: string, body: PersonChange) => http.ask({ method: "PATCH", path: [...root, id], body, answer: PersonRevision }),
    erase: (id: string, why?: string) => http.ask({ method: "DELETE", path: [...root, id], headers: reason(why), answer: PersonRevision }),
    history: (id: string, page: PageAsk) => listOf(http, { path: [...root, id, "history"], query: page, item: PersonRevision }),
  };
}

function splitsOf(http: Http) {
  const root = ["admin", "splits"];
  return {
    show: (model: string) => http.ask({ method: "GET", path: [...root, model], answer: SplitRevision }),
    set: (model: string, body: SplitChange, after?: number) =>
      http.ask({ method: "PUT", path: [...root, model], body, headers: ifMatch(after), answer: SplitRevision }),
    history: (model: string, page: PageAsk) => listOf(http, { path: [...root, model, "history"], query: page, item: SplitRevision }),
  };
}

function pricesOf(http: Http) {
  const root = ["admin", "prices"];
  return {
    set: (book: string, body: PriceBookChange, after?: number) =>
      http.ask({ method: "PUT", path: [...root, book], body, headers: ifMatch(after), answer: PriceBookRevision }),
    list: (page: PageAsk) => listOf(http, { path: root, query: page, item: PriceBookRevision }),
    show: (book: string) => http.ask({ method: "GET", path: [...root, book], answer: PriceBookRevision }),
    history: (book: string, page: PageAsk) => listOf(http, { path: [...root, book, "history"], query: page, item: PriceBookRevision }),
  };
}

function balancesOf(http: Http) {
  const root = (tenant: string) => ["admin", "balances", tenant];
  return {
    show: (tenant: string) => http.ask({ method: "GET", path: root(tenant), answer: BalanceReport }),
    /** May be sent again: the same id and content change nothing. */
    grant: (tenant: string, body: NewGrant) =>
      http.ask({ method: "POST", path: [...root(tenant), "grants"], body, answer: CreditRevision }),
    adjust: (tenant: string, body: NewAdjustment) =>
      http.ask({ method: "POST", path: [...root(tenant), "adjustments"], body, answer: CreditRevision }),
    credits: (tenant: string, page: PageAsk) => listOf(http, { path: [...root(tenant), "credits"], query: page, item: CreditRevision }),
  };
}

type List<T> = { path: readonly string[]; query: Readonly<Record<string, string | number | undefined>>; item: z.ZodType<T> };

function listOf<T>(http: Http, { path, query, item }: List<T>): Promise<Page<T>> {
  return http.ask({ method: "GET", path, query, answer: pageOf(item) });
}

function reason(why: string | undefined): Readonly<Record<string, string>> {
  return why === undefined ? {} : { "weir-reason": why };
}
