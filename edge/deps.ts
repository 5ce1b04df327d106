import type { Trail } from "../shared/audit/audit.ts";
import type { Clock } from "../shared/base/clock.ts";
import type { Ids } from "../shared/base/id.ts";
import type { BalanceStore } from "../shared/billing/balances/balance.ts";
import type { Credit } from "../shared/billing/balances/credit.ts";
import type { Spender } from "../shared/billing/balances/spender.ts";
import type { CreditNote } from "../shared/billing/invoices/credit-note.ts";
import type { DocumentStore } from "../shared/billing/invoices/document-store.ts";
import type { Invoice } from "../shared/billing/invoices/invoice.ts";
import type { Replacement } from "../shared/billing/invoices/replacement.ts";
import type { Seller } from "../shared/billing/invoices/seller.ts";
import type { PriceBook } from "../shared/billing/prices/price-book.ts";
import type { ReceiptKeys } from "../shared/billing/receipts/receipt.ts";
import type { RevisionLog } from "../shared/dynamo/revision-log.ts";
import type { DeliveryStore } from "../shared/events/delivery.ts";
import type { Resolve } from "../shared/events/target.ts";
import type { Webhook } from "../shared/events/webhook.ts";
import type { InferenceClient } from "../shared/inference/contract.ts";
import type { Key } from "../shared/keys/key.ts";
import type { KeyUseStore } from "../shared/keys/key-uses.ts";
import type { RevocationStore } from "../shared/keys/revocation.ts";
import type { CreditLimiter } from "../shared/limits/limiter.ts";
import type { SlotLimiter } from "../shared/limits/slots.ts";
import type { Log } from "../shared/log/log.ts";
import type { BlobStore } from "../shared/models/blob-store.ts";
import type { IntakeClient } from "../shared/models/intake-client.ts";
import type { Model } from "../shared/models/version.ts";
import type { VersionStore } from "../shared/models/version-store.dynamo.ts";
import type { Person } from "../shared/people/person.ts";
import type { Split } from "../shared/routing/split.ts";
import type { Deletion } from "../shared/tenants/deletion.ts";
import type { Tenant } from "../shared/tenants/tenant.ts";
import type { Ledger } from "../shared/usage/ledger/ledger.ts";
import type { IdempotencyStore } from "../shared/usage/retries/idempotency.ts";
import type { Tier } from "../shared/usage/row.ts";
import type { UsageFigures } from "../shared/usage/totals/usage-figures.ts";
import type { Catalog } from "./catalog.ts";
import type { EdgeConfig } from "./config.ts";
import type { Directory } from "./directory.ts";
import type { Sealed } from "./own/usage-export.ts";
import type { Prices } from "./prices.ts";
import type { Breakers } from "./serve/breakers.ts";
import type { HealthNotes } from "./serve/health-notes.ts";
import type { UpstreamClient } from "./serve/upstream-client.ts";

/** A deployed inference function that versions are placed on. */
export type Pool = { readonly name: string; readonly tier: Tier; readonly client: InferenceClient };

/** Everything that handlers may touch; composition roots make it, tests make their own. */
export type Deps = {
  readonly config: EdgeConfig;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Who a key speaks for, and which versions answer for a model: cached reads for the hot path. */
  readonly directory: Directory;
  readonly catalog: Catalog;
  /** Who changed what, read off the revision logs. */
  readonly trail: Trail;
  /** Which prices are in force. */
  readonly prices: Prices;
  /** What the canary last measured of revocation. */
  readonly revocation: Pick<RevocationStore, "read">;
  /** When keys were last used. */
  readonly keyUses: KeyUseStore;
  /** What keys are held to: requests and tokens, and how many run at the same time. */
  readonly limiter: CreditLimiter;
  readonly slots: SlotLimiter;
  readonly pools: ReadonlyMap<string, Pool>;
  /** What this process has seen of pools and versions of late: which to leave alone, and which are unhealthy. */
  readonly breakers: Breakers;
  readonly health: HealthNotes;
  readonly upstream: UpstreamClient;
  readonly ledger: Ledger;
  readonly usage: UsageFigures;
  /** What is sealed: for exports, and for who asks how far a month is. */
  readonly sealed: Sealed;
  /** Which request answers for an Idempotency-Key, and its answer. */
  readonly idempotency: IdempotencyStore;
  /** What signs receipts; empty where nothing does. */
  readonly receiptKeys: ReceiptKeys;
  /** Prepaid balances. */
  readonly balances: BalanceStore;
  /** Spends them in this process, from leases. */
  readonly spender: Spender;
  /** Invoices and credit notes as they are kept. */
  readonly documents: DocumentStore;
  /** What happened, and its deliveries to webhooks. */
  readonly events: DeliveryStore;
  readonly resolveHost: Resolve;
  /** Where publications go: their bytes, and whoever checks them. */
  readonly blobs: BlobStore;
  readonly intake: IntakeClient;
  /** Whether the store answers and the clock is sound, as of a second ago at most. */
  readonly isReady: () => Promise<boolean>;
  /** The control plane's stores, for the admin API. */
  readonly control: {
    readonly tenants: RevisionLog<Tenant>;
    readonly keys: RevisionLog<Key>;
    readonly people: RevisionLog<Person>;
    readonly deletions: RevisionLog<Deletion>;
    readonly models: RevisionLog<Model>;
    readonly versions: VersionStore;
    readonly splits: RevisionLog<Split>;
    readonly prices: RevisionLog<PriceBook>;
    readonly credits: RevisionLog<Credit>;
    readonly invoices: RevisionLog<Invoice>;
    readonly creditNotes: RevisionLog<CreditNote>;
    readonly replacements: RevisionLog<Replacement>;
    readonly sellers: RevisionLog<Seller>;
    readonly webhooks: RevisionLog<Webhook>;
  };
};
