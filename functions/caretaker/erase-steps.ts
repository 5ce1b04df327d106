import { eachItem, type Page, type PageQuery } from "../../shared/base/page.ts";
import { draftKey } from "../../shared/billing/invoices/document-store.ts";
import { invoiceGroupOf } from "../../shared/billing/invoices/invoice.ts";
import type { Swept } from "../../shared/dynamo/eraser.ts";
import type { Change, Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { CONTROL, IDEMPOTENCY, LIMITS } from "../../shared/dynamo/tables.ts";
import { countEvents, eraseEvents, type Traces } from "../../shared/events/event-eraser.dynamo.ts";
import { webhookGroupOf } from "../../shared/events/webhook.ts";
import { type Key, keyGroupOf } from "../../shared/keys/key.ts";
import { keyUsesKey } from "../../shared/keys/key-uses.ts";
import { counterKeysOf, counterOwner } from "../../shared/limits/counter-keys.ts";
import { type Deletion, type STEPS, stepOf } from "../../shared/tenants/deletion.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { type ErasingDeps, WRITES_MAX } from "./erase-deps.ts";
import { keyLog, tenantLog, webhookLog } from "./erase-logs.ts";

/** Items of kept answers that one round looks at, of all tenants. */
const SWEPT_ITEMS_MAX = 5_000;
/** What one round looks at of a list. */
const PAGE_ITEMS = 20;
const PAGES_MAX = 50;

export type Work = { readonly deletion: Deletion; readonly nowMs: number };
export type Steps<Name extends string> = Readonly<Record<Name, (work: Work) => Promise<Swept>>>;

/** What each step erases, as far as one round may go. Whatever was erased before a kill is passed over. */
export function stepsOf(deps: ErasingDeps, change: Change): Steps<(typeof STEPS)[number]> {
  const { eraser, records } = deps;
  return {
    keys: ({ deletion }) =>
      eachOf(
        { list: (page) => deps.keys.list(keyGroupOf(deletion.tenant), page), cursor: stepOf(deletion, "keys").cursor },
        async (key) => {
          await revoke(deps.keys, key, change);
          return eraser.scrub(keyLog(key.body.id), WRITES_MAX);
        },
      ),
    webhooks: ({ deletion }) =>
      eachOf(
        { list: (page) => deps.webhooks.list(webhookGroupOf(deletion.tenant), page), cursor: stepOf(deletion, "webhooks").cursor },
        async ({ body, revision }) => {
          if (!body.isDeleted) await deps.webhooks.append(body.id, revision, { body: { ...body, isDeleted: true }, change });
          return eraser.scrub(webhookLog(body.id), WRITES_MAX);
        },
      ),
    uses: ({ deletion: { tenant } }) => eraser.deletePartition({ table: CONTROL, pk: keyUsesKey(tenant) }, WRITES_MAX),
    counters: (work) => eraseCounters(deps, work),
    answers: ({ deletion }) =>
      eraser.sweep(IDEMPOTENCY, `${deletion.tenant}#`, {
        itemsMax: SWEPT_ITEMS_MAX,
        cursor: stepOf(deletion, "answers").cursor,
        before: async ({ bk }) => {
          if (bk?.S !== undefined) await records.remove(bk.S);
        },
      }),
    drafts: ({ deletion }) =>
      eachOf(
        { list: (page) => deps.invoices.list(invoiceGroupOf(deletion.tenant), page), cursor: stepOf(deletion, "drafts").cursor },
        async ({ body }) => {
          await records.remove(draftKey(body.id));
          return { erased: 1, isDone: true };
        },
      ),
    events: async ({ deletion: { tenant } }) => eraseEvents(eraser, await tracesOf(deps, tenant), WRITES_MAX),
    identity: ({ deletion: { tenant } }) => eraser.scrub(tenantLog(tenant), WRITES_MAX),
  };
}

export async function revoke(keys: RevisionLog<Key>, { body, revision }: Revision<Key>, change: Change): Promise<void> {
  if (!body.isRevoked) await keys.append(body.id, revision, { body: { ...body, isRevoked: true }, change });
}

type Listed<T> = { readonly list: (page: PageQuery) => Promise<Page<T>>; readonly cursor: string | undefined };

/** A page after the other, until the round's share of writes or looks is used up; the next round goes on at the page where this one ended. */
export async function eachOf<T>({ list, cursor: from }: Listed<T>, work: (item: T) => Promise<Swept>): Promise<Swept> {
  let [erased, cursor] = [0, from];
  for (let pages = 0; pages < PAGES_MAX && erased < WRITES_MAX; pages += 1) {
    const page = await list({ limit: PAGE_ITEMS, ...(cursor === undefined ? {} : { cursor }) });
    for (const item of page.items) {
      const swept = await work(item);
      erased += swept.erased;
      if (!swept.isDone) return { erased, isDone: false, ...(cursor === undefined ? {} : { cursor }) };
    }
    cursor = page.nextCursor;
    if (cursor === undefined) return { erased, isDone: true };
  }
  return { erased, isDone: false, ...(cursor === undefined ? {} : { cursor }) };
}

/** A tenant's own and its keys', a page of keys at a time. */
async function eraseCounters({ eraser, keys }: ErasingDeps, { deletion, nowMs }: Work): Promise<Swept> {
  const { tenant } = deletion;
  const eraseOf = (owner: string) =>
    eraser.deleteItems(
      LIMITS,
      counterKeysOf(owner, nowMs).map((pk) => ({ pk })),
    );
  const own = await eraseOf(counterOwner.tenant(tenant));
  const list = (page: PageQuery) => keys.list(keyGroupOf(tenant), page);
  const ofKeys = await eachOf({ list, cursor: stepOf(deletion, "counters").cursor }, async ({ body }) => ({
    erased: await eraseOf(counterOwner.key(body.id)),
    isDone: true,
  }));
  return { ...ofKeys, erased: own + ofKeys.erased };
}

/** Looked for again: the report says what was found, and should say nothing. */
export async function remainingOf(deps: ErasingDeps, { deletion: { tenant }, nowMs }: Work): Promise<number> {
  const { eraser, keys, webhooks } = deps;
  let remaining = await eraser.unscrubbed(tenantLog(tenant));
  remaining += await eraser.countItems(LIMITS, counterKeysOf(counterOwner.tenant(tenant), nowMs));
  for await (const { body } of eachItem((page) => keys.list(keyGroupOf(tenant), page)))
    remaining += (await eraser.unscrubbed(keyLog(body.id))) + (body.isRevoked ? 0 : 1);
  for await (const { body } of eachItem((page) => webhooks.list(webhookGroupOf(tenant), page)))
    remaining += await eraser.unscrubbed(webhookLog(body.id));
  for await (const _ of eraser.itemsOf({ table: CONTROL, pk: keyUsesKey(tenant) })) remaining += 1;
  return remaining + (await countEvents(eraser, await tracesOf(deps, tenant)));
}

export async function tracesOf({ webhooks }: ErasingDeps, tenant: string): Promise<Traces> {
  const idsOf = async (owner: string) => {
    const ids: string[] = [];
    for await (const { body } of eachItem((page) => webhooks.list(webhookGroupOf(owner), page))) ids.push(body.id);
    return ids;
  };
  return { tenant, webhooks: await idsOf(tenant), watchers: await idsOf(OPERATORS) };
}
