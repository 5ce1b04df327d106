import { BALANCES, CONTROL, EVENTS, IDEMPOTENCY, LEDGER, LIMITS, SEALS } from "../dynamo/tables.ts";
import type { StepName } from "./deletion.ts";

/** One kind of items that the product stores, and what becomes of a deleted tenant's. Every table and folder has rows here, or the tests fail. */
export type Place = {
  /** A table's name, or a bucket's. */
  readonly store: string;
  /** How its keys look: `key#<id>`. */
  readonly items: string;
  readonly holds: string;
  /** What erases it; absent where nothing does. */
  readonly step?: StepName;
  readonly kept?: {
    /** What stays, if that is not all. */
    readonly what?: string;
    readonly why: string;
    /** `law`: as long as tax laws want it, then the step removes it. Otherwise how many days after the deletion; absent: without end. */
    readonly until?: "law" | number;
  };
};

const control = CONTROL.name;
const [ledger, limits, idempotency, seals, balances, events] = [LEDGER, LIMITS, IDEMPOTENCY, SEALS, BALANCES, EVENTS].map(
  ({ name }) => name,
) as [string, string, string, string, string, string]; // six of six
const TRAIL = "who changed what, when and why; their bodies are erased";
const LAW = { why: "must be shown to tax authorities", until: "law" } as const;
const NOT_OF_A_TENANT = "nothing of a tenant";
const COUNTS_ONLY =
  "invoices are recomputed from them; they hold ids and counts, neither names nor texts, and are sealed with other tenants'";
/** The lifecycles of the records bucket, in days; `cdk/records-bucket.ts` makes them from these. */
export const ANSWERS_KEPT_DAYS = 1;
export const REMOVED_KEPT_DAYS = 30;
/** Of DynamoDB's point-in-time recovery. */
const BACKUPS_KEPT_DAYS = 35;

export const PLACES: readonly Place[] = [
  {
    ...{ store: control, items: "tenant#<tenant>", holds: "name, address, tax id, rates and price book", step: "identity" },
    kept: {
      what: "the id, rates, price book; who changed them, when and why",
      why: "nobody gets the id a second time, and bills rest on it",
    },
  },
  {
    ...{ store: control, items: "key#<key>", holds: "keys: name, addresses, digest of the secret", step: "keys" },
    kept: { what: `scopes; ${TRAIL}`, why: "usage rows name the key" },
  },
  {
    ...{ store: control, items: "webhook#<webhook>", holds: "webhooks: URL and description", step: "webhooks" },
    kept: { what: `event types; ${TRAIL}`, why: "the trail of changes" },
  },
  { store: control, items: "key-use#<tenant>", holds: "when its keys were last used", step: "uses" },
  { store: control, items: "deletion#<tenant>", holds: "this report", kept: { why: "it is the proof" } },
  {
    ...{ store: control, items: "invoice#<invoice>", holds: "invoices: totals, numbers, payments, reasons", step: "invoices" },
    kept: LAW,
  },
  { ...{ store: control, items: "credit-note#<note>", holds: "credit notes and their reasons", step: "creditNotes" }, kept: LAW },
  {
    ...{ store: control, items: "replacement#<invoice>", holds: "what was asked in place of void invoices", step: "replacements" },
    kept: LAW,
  },
  { ...{ store: control, items: "credit#<tenant>/<credit>", holds: "credits of its prepaid balance", step: "credits" }, kept: LAW },
  ...[
    "person#<person>",
    "seller#<seller>",
    "prices#<book>",
    "model#<model>",
    "version#<model>",
    "split#<model>",
    "canary#<measurement>",
  ].map((items) => ({ store: control, items, holds: NOT_OF_A_TENANT })),
  {
    ...{ store: ledger, items: "m#<minute>#<shard>", holds: "usage rows" },
    kept: { why: COUNTS_ONLY },
  },
  { store: limits, items: "<tenant>#<policy>", holds: "how far its limits are spent", step: "counters" },
  { store: limits, items: "<tenant>#daily#<day>", holds: "the same of a day", step: "counters" },
  { store: limits, items: "key#<key>#<policy>", holds: "how far its keys' own limits are spent", step: "counters" },
  { store: limits, items: "key#<key>#daily#<day>", holds: "the same of a day", step: "counters" },
  { store: idempotency, items: "<tenant>#<digest>", holds: "answers that wait for a retry", step: "answers" },
  { store: seals, items: "h#<hour>#<group>", holds: "seals of the ledger's minutes", kept: { why: COUNTS_ONLY } },
  { ...{ store: seals, items: "t#<tenant>", holds: "totals of its hours, days and months", step: "totals" }, kept: LAW },
  ...["state", "agenda#<work>", "hours#<month>"].map((items) => ({ store: seals, items, holds: NOT_OF_A_TENANT })),
  { ...{ store: balances, items: "balance#<tenant>", holds: "its prepaid balance, grants and leases", step: "balance" }, kept: LAW },
  ...["book#<series>", "invoicing#progress"].map((items) => ({ store: balances, items, holds: NOT_OF_A_TENANT })),
  { store: events, items: "event#<tenant>", holds: "what happened, for webhooks", step: "events" },
  {
    ...{ store: events, items: "event#<tenant>", holds: "what has happened to its invoices since", step: "eventsSince" },
    kept: { why: "operators are told when one is paid or given back", until: "law" },
  },
  { store: events, items: "new", holds: "what happened and is not handed out yet", step: "events" },
  {
    store: events,
    items: "webhook#<webhook>",
    holds: "deliveries, attempts and dead letters, to its webhooks and to operators'",
    step: "events",
  },
  { store: events, items: "due", holds: "when deliveries are due", step: "events" },
  {
    ...{ store: "records", items: "bodies/<tenant>/<request>", holds: "large answers that wait for a retry", step: "answers" },
    kept: { what: "versions of them", why: "they end by the bucket's lifecycle", until: 2 * ANSWERS_KEPT_DAYS },
  },
  { store: "records", items: "invoices/<invoice>/draft.json", holds: "drafts of invoices, with name and address", step: "drafts" },
  {
    ...{ store: "records", items: "invoices/<bearer>/<digest>", holds: "invoices and credit notes as they were sent", step: "documents" },
    kept: LAW,
  },
  {
    ...{ store: "backups", items: "of every table", holds: "what it was, to any second of the last weeks" },
    kept: { why: "they end by themselves, and nobody can change them", until: BACKUPS_KEPT_DAYS },
  },
  {
    ...{ store: "backups", items: "of the records bucket", holds: "documents that were removed" },
    kept: { why: "they end by the bucket's lifecycle", until: REMOVED_KEPT_DAYS },
  },
  {
    store: "logs",
    items: "of every part",
    holds: "ids and durations, neither names nor texts",
    kept: { why: "they end as the installation is set" },
  },
  ...["incoming/<upload>", "blobs/<digest>", "manifests/<version>"].map((items) => ({ store: "models", items, holds: NOT_OF_A_TENANT })),
];
