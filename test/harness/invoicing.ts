import { composeDeps, composeRound } from "../../functions/invoicing/compose.ts";
import type { InvoicingDeps } from "../../functions/invoicing/deps.ts";
import { canonicalJson } from "../../shared/billing/canonical-json.ts";
import type { CreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import type { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import { TABLES, tableName } from "../../shared/dynamo/tables.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { RATE_DEFAULT } from "../../shared/tenants/tenant.ts";
import { createFakeDynamo, type FakeDynamo } from "./fake-dynamo/fake-dynamo.ts";
import { type LeanUse, leanOver } from "./fake-dynamo/lean.ts";
import { SELLER_OF_TESTS } from "./invoices.ts";
import type { Gate } from "./killing.ts";
import { createSealingWorld, roundsAt, type SealingWorld } from "./sealing.ts";

const PREFIX = "weir";
const SCHEDULE = [{ fromMinute: "", shardCount: 1 }];

/** A ledger with sealers and invoicing over a store in memory, whose time is an argument. */
export type InvoicingWorld = SealingWorld & {
  readonly deps: InvoicingDeps;
  readonly objects: Map<string, Uint8Array>;
  readonly round: Round;
  readonly invoiceAt: (nowMs: number) => Promise<void>;
  readonly makeTenant: (id: string, billing?: Partial<TenantBilling>) => Promise<void>;
  readonly setPrices: (book: PriceBook) => Promise<void>;
  readonly setSeller: () => Promise<void>;
};

export function createInvoicingWorld(startMs: number, more: { use?: LeanUse } = {}): InvoicingWorld {
  const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: startMs, ...more });
  const objects = new Map<string, Uint8Array>();
  const documents = {
    put: async (key: string, bytes: Uint8Array) => void objects.set(key, bytes),
    get: async (key: string) => objects.get(key),
  };
  const log = (_: string, message: string, fields?: object) => void world.logged.push(`${message} ${JSON.stringify(fields)}`);
  const settings = { lean: world.lean, tablePrefix: PREFIX, schedule: SCHEDULE, documents, log };
  const deps = composeDeps(settings);
  const round = composeRound(settings, deps);
  const by = { by: "test", why: "", atMs: startMs };
  return {
    ...world,
    deps,
    objects,
    round,
    invoiceAt: (nowMs) => roundsAt(round, nowMs),
    async makeTenant(id, billing) {
      const terms = { priceBook: "standard", discountBps: 0, taxRateBps: 1_900, ...billing };
      const body = { id, name: id, isClosed: false, rate: RATE_DEFAULT, ...(billing === undefined ? {} : { billing: terms }) };
      await deps.tenants.append(id, 0, { body, change: by });
    },
    async setPrices(book) {
      const current = await deps.books.current(book.name);
      await deps.books.append(book.name, current?.revision ?? 0, { body: book, change: by });
    },
    async setSeller() {
      await deps.sellers.append(SELLER, 0, { body: SELLER_OF_TESTS, change: by });
    },
  };
}

/** What outlives a process: the tables and the bucket. */
export type Durable = { readonly store: FakeDynamo; readonly objects: Map<string, Uint8Array> };

/** The same tables and documents once more, for another course of things. */
export function copyOf({ store, objects }: Durable): Durable {
  const copy = createFakeDynamo({ tablePrefix: PREFIX });
  for (const table of TABLES) {
    const { name } = table;
    const TableName = tableName(PREFIX, table);
    for (const Item of store.items(name)) copy.apply("PutItem", { TableName, Item }, { nowMs: 0, lagMs: 0 });
  }
  return { store: copy, objects: new Map(objects) };
}

/** What an invoicing process works with when each of its calls passes a gate. Its PDFs are short: how they are drawn is no matter of stores. */
export function invoicingOver({ store, objects }: Durable, gate: Gate, logged: string[]): InvoicingDeps {
  const lean = leanOver(store, gate);
  const documents = {
    put: async (key: string, bytes: Uint8Array) => {
      await gate.before("PutObject");
      objects.set(key, bytes);
      await gate.after("PutObject");
    },
    get: async (key: string) => {
      await gate.before("GetObject");
      return objects.get(key);
    },
  };
  const log = (_: string, message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const deps = composeDeps({ lean, tablePrefix: PREFIX, schedule: SCHEDULE, documents, log });
  const short = async (document: InvoiceDocument | CreditDocument) => Buffer.from(`pdf of ${canonicalJson(document)}`);
  return { ...deps, pdf: { invoice: short, credit: short } };
}
