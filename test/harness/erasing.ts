import { composeErasing } from "../../functions/caretaker/compose.ts";
import type { ErasingDeps } from "../../functions/caretaker/erase-deps.ts";
import { createErasingRound } from "../../functions/caretaker/erase-round.ts";
import type { Invoice, StoredDocument } from "../../shared/billing/invoices/invoice.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import { CONTROL_TIMEOUT_MS, type Dynamo } from "../../shared/dynamo/client.ts";
import type { WireItem } from "../../shared/dynamo/lean-client.ts";
import { TABLES, tableName } from "../../shared/dynamo/tables.ts";
import type { Key } from "../../shared/keys/key.ts";
import { keyUsesKey } from "../../shared/keys/key-uses.ts";
import type { Log } from "../../shared/log/log.ts";
import { type Deletion, newDeletion } from "../../shared/tenants/deletion.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { SELLER_OF_TESTS } from "./invoices.ts";

export const ASKED_AT_MS = Date.UTC(2026, 9, 20, 12);
export const INVOICED_AT_MS = Date.UTC(2026, 10, 4);
/** By whom and why everything of these worlds was changed. */
export const CHANGE = { by: "key of ann", person: "ann", why: "as agreed", atMs: Date.UTC(2026, 8, 1) };
const AT = "2026-10-01T00:00:00.000Z";
/** Whatever a person of the tenant could be known by. */
export const PERSONAL = /Jane|Doe|203\.0\.113|DE123|hook\.example|hmac of/;

/** The operators' webhook, which is told of everybody's events. */
const WATCHING = "watching";

export type ErasingWorld = {
  readonly deps: ErasingDeps;
  readonly objects: Map<string, string>;
  /** A tenant with everything that the product may store of one, whose deletion was asked for; answers its key. */
  readonly makeTenant: (id: string) => Promise<Key>;
  readonly setSeller: (retentionYears?: number) => Promise<void>;
  readonly runAt: (nowMs: number) => Promise<void>;
  /** How far the deletion is that was asked for. */
  readonly stateOf: (tenant: string) => Promise<Deletion>;
  /** Items and objects that say both. */
  readonly saying: (tenant: string, pattern: RegExp) => Promise<string[]>;
  readonly items: () => Promise<{ store: string; pk: string }[]>;
};

/** What a round would go on without is told to the test. */
const loudly: Log = (_, message, { error } = {}) => {
  throw new Error(message, { cause: error });
};

/** `touch` is called before an object is removed, and after it: a process may die there, too. */
export function createErasingWorld(dynamo: Dynamo, touch: (isDone: boolean) => void = () => {}): ErasingWorld {
  const objects = new Map<string, string>();
  const remove = async (key: string) => {
    touch(false);
    objects.delete(key);
    touch(true);
  };
  const deps = composeErasing(dynamo, { remove }, loudly);
  const round = createErasingRound(deps);
  const all = async () => {
    const found = await Promise.all(
      TABLES.map(async (table) => {
        const scan = { TableName: nameOf(dynamo, table.name) };
        return { table, ...(await dynamo.lean.call<{ Items?: readonly WireItem[] }>("Scan", scan, CONTROL_TIMEOUT_MS)) };
      }),
    );
    return found.flatMap(({ table, Items = [] }) =>
      Items.map((item) => ({ store: table.name, pk: item["pk"]?.S ?? "", text: JSON.stringify(item) })),
    );
  };
  return {
    deps,
    objects,
    makeTenant: (id) => makeTenant({ dynamo, deps, objects }, id),
    async setSeller(retentionYears) {
      const years = retentionYears === undefined ? {} : { retentionYears };
      await deps.sellers.append(SELLER, 0, { body: { ...SELLER_OF_TESTS, ...years }, change: CHANGE });
    },
    async runAt(nowMs) {
      for (let turn = 0; turn < 50 && (await round({ nowMs, signal: new AbortController().signal })).hasMore; turn += 1);
    },
    async stateOf(tenant) {
      const deletion = await deps.deletions.current(tenant);
      if (deletion === undefined) throw new Error(`nobody has asked for the deletion of ${tenant}`);
      return deletion.body;
    },
    async saying(tenant, pattern) {
      const texts = [...(await all()).map(({ text }) => text), ...[...objects].map(([key, text]) => `${key} ${text}`)];
      return texts.filter((text) => text.includes(tenant) && pattern.test(text));
    },
    items: async () => (await all()).map(({ store, pk }) => ({ store, pk })),
  };
}

type Place = { readonly dynamo: Dynamo; readonly deps: ErasingDeps; readonly objects: Map<string, string> };

async function makeTenant(place: Place, id: string): Promise<Key> {
  const { deps } = place;
  const tenant = { id, name: "Jane Doe", isClosed: false, rate: { requestsPerSecond: 1, burst: 1 } };
  await deps.tenants.append(id, 0, { body: tenant, change: CHANGE });
  const billing = { priceBook: "standard", discountBps: 0, taxRateBps: 1900, address: ["Jane Doe", "Main Street 1"], taxId: "DE123" };
  await deps.tenants.append(id, 1, { body: { ...tenant, billing }, change: CHANGE });
  const key: Key = {
    ...{ id: `${id}Key`.padEnd(16, "0"), tenant: id, name: "Jane's laptop", scopes: ["infer"], secretHmac: "hmac of a secret" },
    ...{ pepperVersion: 1, isRevoked: false, cidrs: ["203.0.113.7/32"] },
  };
  await deps.keys.append(key.id, 0, { body: key, change: CHANGE });
  await deps.keys.append(key.id, 1, { body: { ...key, name: "Jane's desk" }, change: CHANGE });
  const hook = { id: `${id}-hook`, owner: id, url: "https://hook.example/jane", eventTypes: [], description: "Jane's", isDeleted: false };
  await deps.webhooks.append(hook.id, 0, { body: { ...hook, secret: { number: 1, pepperVersion: 1 } }, change: CHANGE });
  const watching = { ...hook, id: WATCHING, owner: OPERATORS, url: "https://operators.example/", description: "" };
  if ((await deps.webhooks.current(WATCHING)) === undefined)
    await deps.webhooks.append(WATCHING, 0, { body: { ...watching, secret: { number: 1, pepperVersion: 1 } }, change: CHANGE });
  await makeBills(place, id);
  await makeTraces(place, id, key);
  await deps.deletions.append(id, 0, { body: newDeletion(id, ASKED_AT_MS, 10), change: { ...CHANGE, atMs: ASKED_AT_MS } });
  return key;
}

async function makeBills({ dynamo, deps, objects }: Place, tenant: string) {
  const id = `${tenant}-2026-09`;
  const documents = {
    json: document(`invoices/${id}/a.json`),
    csv: document(`invoices/${id}/b.csv`),
    pdf: document(`invoices/${id}/c.pdf`),
  };
  const totals = { netMinor: "1", taxMinor: "0", totalMinor: "1" };
  const closed = { of: 1, sealed: 1, audited: 1 };
  const adjustments = [{ id: "a", amountMinor: "1", reason: "Jane asked", by: "k", at: AT }];
  const head = { id, tenant, month: "2026-09", currency: "EUR", totals, closed, adjustments };
  const frozen: Invoice = {
    ...head,
    state: "frozen",
    document: document(`invoices/${id}/frozen.json`),
    madeAt: AT,
    prefix: "INV",
    paymentTermDays: 30,
  };
  const issue = { number: 1, name: "INV-000001", issuedAt: AT, dueAt: AT, documents };
  const credit = { id: "r", amountMinor: "1", taxMinor: "0", reason: "Jane was unhappy", by: "k", at: AT };
  const paid: Invoice = { ...head, state: "paid", issue, credits: [credit], payment: { reference: "transfer of Jane Doe", paidAt: AT } };
  await deps.invoices.append(id, 0, { body: frozen, change: CHANGE });
  await deps.invoices.append(id, 1, { body: paid, change: CHANGE });
  const ask = { id: "r", reason: "Jane was unhappy", by: "k", at: AT };
  const noteDocuments = {
    json: document(`invoices/${id}.r/a.json`),
    csv: document(`invoices/${id}.r/b.csv`),
    pdf: document(`invoices/${id}.r/c.pdf`),
  };
  const note = {
    id: `${id}.r`,
    invoice: id,
    askedIn: "2026-10",
    ask,
    credit,
    number: 1,
    name: "CN-000001",
    issuedAt: AT,
    documents: noteDocuments,
  };
  await deps.creditNotes.append(note.id, 0, { body: { ...note, state: "issued" }, change: CHANGE });
  await makeAsked(deps, id, adjustments);
  const grant = { tenant, id: "g1", kind: "grant", amountPico: "1", expiresAt: null, priority: 1, state: "applied" } as const;
  await deps.credits.append(`${tenant}/g1`, 0, { body: grant, change: CHANGE });
  for (const { key } of [frozen.document, ...Object.values(documents), ...Object.values(noteDocuments)])
    objects.set(key, "Jane Doe, Main Street 1");
  objects.set(`invoices/${id}/draft.json`, "Jane Doe, Main Street 1");
  await put(dynamo, "balances", { pk: `balance#${tenant}`, b: "{}" });
  await put(dynamo, "seals", { pk: `t#${tenant}`, sk: "month#2026-09", t: "{}" });
}

/** What was asked in place of the invoice. */
async function makeAsked(deps: ErasingDeps, id: string, adjustments: Invoice["adjustments"]) {
  const replacement = {
    ...{
      id: `${id}-r2`,
      replaces: { id, name: "INV-000001", issuedAt: AT },
      askedIn: "2026-10",
      reason: "for Jane",
      by: "k",
      at: AT,
      adjustments,
    },
    state: "issued" as const,
    issued: { id: `${id}-r2`, name: "INV-000002", issuedAt: AT },
  };
  await deps.replacements.append(replacement.id, 0, { body: replacement, change: CHANGE });
}

function document(key: string): StoredDocument {
  return { key, sha256: "0".repeat(64), bytes: 1 };
}

async function makeTraces({ dynamo, objects }: Place, tenant: string, key: Key) {
  const event = JSON.stringify({ id: `e-${tenant}`, type: "invoice.issued", tenant, at: AT, data: { name: "Jane Doe" } });
  const due = Date.UTC(2026, 11, 1);
  const delivery = { ev: event, st: "dead", oc: "hook.example refused" };
  await put(dynamo, "events", { pk: "new", sk: `${tenant}#n-${tenant}`, ev: event });
  await put(dynamo, "events", { pk: `event#${tenant}`, sk: `e-${tenant}`, ev: event });
  for (const webhook of [`${tenant}-hook`, WATCHING]) {
    await put(dynamo, "events", { pk: `webhook#${webhook}`, sk: `e-${tenant}`, ...delivery }, { du: due, at: 10 });
    await put(dynamo, "events", { pk: "due", sk: `${String(due).padStart(15, "0")}#${webhook}#e-${tenant}` });
  }
  await put(dynamo, "control", { pk: keyUsesKey(tenant), sk: key.id, usedAt: AT });
  for (const owner of [tenant, `key#${key.id}`]) {
    for (const policy of ["requests", "tokens", "slots", "daily#20746"]) await put(dynamo, "limits", { pk: `${owner}#${policy}` });
  }
  await put(dynamo, "idempotency", { pk: `${tenant}#abc`, bk: `bodies/${tenant}/request`, hd: "Jane Doe" });
  objects.set(`bodies/${tenant}/request`, "Jane Doe");
  await put(dynamo, "ledger", { pk: "m#2026-10-20T11:59#0", sk: `${tenant}#request`, st: "P" });
}

async function put(dynamo: Dynamo, table: string, texts: Record<string, string>, numbers: Record<string, number> = {}) {
  const Item = {
    ...Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, { S: value }])),
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, { N: String(value) }])),
  };
  await dynamo.lean.call("PutItem", { TableName: nameOf(dynamo, table), Item }, CONTROL_TIMEOUT_MS);
}

function nameOf({ tablePrefix }: Dynamo, table: string): string {
  return tableName(tablePrefix, { name: table, partitionKey: "pk", purpose: "" });
}
