/** One table: its keys and indexes. The one-machine platform creates it from this, and the CDK app deploys it from this. */
export type TableShape = {
  /** The name after the installation's prefix, such as `control` in `weir-control`. */
  readonly name: string;
  readonly partitionKey: string;
  readonly sortKey?: string;
  /** Sparse indexes that project keys only. */
  readonly indexes?: readonly { readonly name: string; readonly partitionKey: string; readonly sortKey: string }[];
  /** Attribute with seconds of the epoch, after which the cloud's store may tidy an item away, days later; nothing relies on it. */
  readonly timeToLive?: string;
  readonly purpose: string;
};

export const CONTROL = {
  name: "control",
  partitionKey: "pk",
  sortKey: "sk",
  indexes: [
    // Only the first revision of a noun carries gk and gs, so the index lists each noun once.
    { name: "group", partitionKey: "gk", sortKey: "gs" },
    // Every revision carries ak (its month) and as (its instant): who changed what, across nouns. See auditKeyOf.
    { name: "audit", partitionKey: "ak", sortKey: "as" },
  ],
  purpose: "what people change, as revisions: tenants, keys, models, versions, splits",
} as const satisfies TableShape;

export const LEDGER = {
  name: "ledger",
  partitionKey: "pk",
  sortKey: "sk",
  purpose: "one row per request, in minute and shard buckets: the truth about money",
} as const satisfies TableShape;

export const LIMITS = {
  name: "limits",
  partitionKey: "pk",
  timeToLive: "ttl",
  purpose: "one item per policy of a tenant or key, and per day of a daily one: how far its leases have spent it, or who holds its slots",
} as const satisfies TableShape;

export const IDEMPOTENCY = {
  name: "idempotency",
  partitionKey: "pk",
  timeToLive: "ttl",
  purpose: "one item per tenant and Idempotency-Key: which request answers for it, and its answer",
} as const satisfies TableShape;

export const SEALS = {
  name: "seals",
  partitionKey: "pk",
  sortKey: "sk",
  purpose: "closed buckets of the ledger, and the totals of hours, days and months that follow from them",
} as const satisfies TableShape;

export const BALANCES = {
  name: "balances",
  partitionKey: "pk",
  purpose: "one item per prepaid tenant: its grants, its balance and the leases on it; and one per invoice book: the next number",
} as const satisfies TableShape;

export const EVENTS = {
  name: "events",
  partitionKey: "pk",
  sortKey: "sk",
  purpose: "what happened, for webhooks: the outbox, its attempts and its dead letters",
} as const satisfies TableShape;

export const TABLES: readonly TableShape[] = [CONTROL, LEDGER, LIMITS, IDEMPOTENCY, SEALS, BALANCES, EVENTS];

/** Where a revision stands in the trail across nouns; what was written before there was one has no place in it. */
export function auditKeyOf(at: string, pk: string) {
  return { ak: { S: auditMonth(at) }, as: { S: `${at} ${pk}` } };
}

/** The partition of an instant's month, such as `audit#2026-11`. */
export const auditMonth = (at: string) => `audit#${at.slice(0, 7)}`;

export function tableName(prefix: string, table: TableShape): string {
  return `${prefix}-${table.name}`;
}
