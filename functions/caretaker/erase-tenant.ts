import { Failure } from "../../shared/base/failure.ts";
import { eachItem, type Page, type PageQuery } from "../../shared/base/page.ts";
import { type Invoice, invoiceGroupOf, isIssued } from "../../shared/billing/invoices/invoice.ts";
import type { Eraser, Scrubbing, Swept } from "../../shared/dynamo/eraser.ts";
import type { Change, Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { IDEMPOTENCY } from "../../shared/dynamo/tables.ts";
import { Webhook, webhookGroupOf } from "../../shared/events/webhook.ts";
import { Key, keyGroupOf } from "../../shared/keys/key.ts";
import { keyUsesKey } from "../../shared/keys/key-uses.ts";
import { type Deletion, QUIET_AFTER_MS, STEPS, type Step, type StepName } from "../../shared/tenants/deletion.ts";
import { scrubKey, scrubTenant, scrubWebhook } from "../../shared/tenants/scrub.ts";
import { Tenant } from "../../shared/tenants/tenant.ts";

export type ErasingDeps = {
  readonly eraser: Eraser;
  readonly tenants: RevisionLog<Tenant>;
  readonly keys: RevisionLog<Key>;
  readonly webhooks: RevisionLog<Webhook>;
  readonly invoices: RevisionLog<Invoice>;
  readonly deletions: RevisionLog<Deletion>;
};

/** Writes of one step in one round. */
const WRITES_MAX = 1_000;
/** Items of kept answers that one round looks at, of all tenants. */
const SWEPT_ITEMS_MAX = 5_000;
/** After a month's end: rows are read again a day later, and then the month's invoice is issued. */
const INVOICED_AFTER_MS = 3 * 86_400_000;

type Work = { readonly deletion: Deletion; readonly nowMs: number };

/**
 * Takes a deletion as far as one round goes and says whether more can be done now. What was done lies in its log; a round that was killed
 * in the middle, or ran twice at once, has erased what the next one then passes over.
 */
export async function eraseTenant(deps: ErasingDeps, current: Revision<Deletion>, nowMs: number): Promise<{ hasMore: boolean }> {
  const change: Change = { by: "caretaker", why: "deletion of the tenant", atMs: nowMs };
  await closeTenant(deps, current.body.tenant, change);
  const { deletion, hasMore } = await advance(deps, { deletion: current.body, nowMs }, change);
  if (JSON.stringify(deletion) === JSON.stringify(current.body)) return { hasMore };
  try {
    await deps.deletions.append(deletion.tenant, current.revision, { body: deletion, change });
  } catch (error) {
    if (!(error instanceof Failure && error.code === "conflict")) throw error; // another round has written down the same
  }
  return { hasMore };
}

async function advance(deps: ErasingDeps, work: Work, change: Change): Promise<{ deletion: Deletion; hasMore: boolean }> {
  let deletion = work.deletion;
  for (const name of STEPS) {
    const step = deletion.steps[name];
    if (step.finishedAt !== undefined) continue;
    const waitingFor = await whyNotYet(deps, { ...work, deletion }, name);
    if (waitingFor !== undefined) return { deletion: waiting(deletion, name, waitingFor), hasMore: false };
    const swept = await stepsOf(deps, change)[name]({ ...work, deletion });
    deletion = { ...deletion, steps: { ...deletion.steps, [name]: stepAfter(step, swept, work.nowMs) } };
    if (!swept.isDone) return { deletion, hasMore: true };
  }
  const { waitingFor: _, ...rest } = deletion;
  const verified = { at: new Date(work.nowMs).toISOString(), remaining: await remainingOf(deps, deletion.tenant) };
  if (verified.remaining > 0) return { deletion: { ...again(rest), verified }, hasMore: false };
  return { deletion: { ...rest, state: "erased", verified }, hasMore: false };
}

/** Something was written while we erased, such as a key that was being made when its tenant closed: the next round looks again. */
function again(deletion: Deletion): Deletion {
  const redone = (["keys", "webhooks", "identity"] as const).map((name) => [name, { erased: deletion.steps[name].erased }]);
  return { ...deletion, state: "erasing", steps: { ...deletion.steps, ...Object.fromEntries(redone) } };
}

/** The identity waits for the last invoice; the others for what still runs. */
function waiting(deletion: Deletion, name: StepName, waitingFor: string): Deletion {
  return { ...deletion, state: name === "identity" ? "waiting" : "erasing", waitingFor };
}

async function whyNotYet(deps: ErasingDeps, { deletion, nowMs }: Work, name: StepName): Promise<string | undefined> {
  const requestedAtMs = Date.parse(deletion.requestedAt);
  if (name === "keys" || name === "webhooks") return undefined;
  if (nowMs < requestedAtMs + QUIET_AFTER_MS) return "requests that had begun";
  if (name !== "identity") return undefined;
  const dueAtMs = monthEndMs(requestedAtMs + QUIET_AFTER_MS) + INVOICED_AFTER_MS;
  if (nowMs < dueAtMs) return `the last month's invoice, until ${new Date(dueAtMs).toISOString()}`;
  for await (const { body } of eachItem((page) => deps.invoices.list(invoiceGroupOf(deletion.tenant), page))) {
    if (!isIssued(body)) return `the invoice ${body.id}, which is not issued`;
  }
  return undefined;
}

function monthEndMs(atMs: number): number {
  const at = new Date(atMs);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1);
}

function stepsOf(deps: ErasingDeps, change: Change): Readonly<Record<StepName, (work: Work) => Promise<Swept>>> {
  const { eraser, keys, webhooks } = deps;
  return {
    keys: ({ deletion: { tenant } }) =>
      eachOf(
        (page) => keys.list(keyGroupOf(tenant), page),
        async (key) => {
          if (!key.body.isRevoked) await keys.append(key.body.id, key.revision, { body: { ...key.body, isRevoked: true }, change });
          return eraser.scrub(keyLog(key.body.id), WRITES_MAX);
        },
      ),
    webhooks: ({ deletion: { tenant } }) =>
      eachOf(
        (page) => webhooks.list(webhookGroupOf(tenant), page),
        async (webhook) => {
          if (!webhook.body.isDeleted)
            await webhooks.append(webhook.body.id, webhook.revision, { body: { ...webhook.body, isDeleted: true }, change });
          return eraser.scrub(webhookLog(webhook.body.id), WRITES_MAX);
        },
      ),
    uses: ({ deletion: { tenant } }) => eraser.deletePartition(keyUsesKey(tenant), WRITES_MAX),
    answers: ({ deletion: { tenant, steps } }) =>
      eraser.sweep(IDEMPOTENCY, `${tenant}#`, { itemsMax: SWEPT_ITEMS_MAX, cursor: steps.answers.cursor }),
    identity: ({ deletion: { tenant } }) => eraser.scrub(tenantLog(tenant), WRITES_MAX),
  };
}

/** One after the other, until the round's share of writes is used up. */
async function eachOf<T>(list: (page: PageQuery) => Promise<Page<T>>, work: (item: T) => Promise<Swept>): Promise<Swept> {
  let erased = 0;
  for await (const item of eachItem(list)) {
    const swept = await work(item);
    erased += swept.erased;
    if (!swept.isDone || erased >= WRITES_MAX) return { erased, isDone: false };
  }
  return { erased, isDone: true };
}

function stepAfter({ erased }: Step, swept: Swept, nowMs: number): Step {
  return {
    erased: erased + swept.erased,
    ...(swept.isDone ? { finishedAt: new Date(nowMs).toISOString() } : {}),
    ...(swept.cursor === undefined ? {} : { cursor: swept.cursor }),
  };
}

/** Looked for again, in every log: the report says what was found, and should say nothing. */
async function remainingOf({ eraser, keys, webhooks }: ErasingDeps, tenant: string): Promise<number> {
  let remaining = await eraser.unscrubbed(tenantLog(tenant));
  for await (const { body } of eachItem((page) => keys.list(keyGroupOf(tenant), page)))
    remaining += await eraser.unscrubbed(keyLog(body.id));
  for await (const { body } of eachItem((page) => webhooks.list(webhookGroupOf(tenant), page)))
    remaining += await eraser.unscrubbed(webhookLog(body.id));
  return remaining;
}

/** Should the request have closed it and died before: a deletion alone closes it, too. */
async function closeTenant({ tenants }: ErasingDeps, id: string, change: Change) {
  const tenant = await tenants.current(id);
  if (tenant === undefined || tenant.body.isClosed) return;
  await tenants.append(id, tenant.revision, { body: { ...tenant.body, isClosed: true }, change });
}

const keyLog = (id: string): Scrubbing<Key> => ({ noun: "key", id, schema: Key, scrub: scrubKey });
const tenantLog = (id: string): Scrubbing<Tenant> => ({ noun: "tenant", id, schema: Tenant, scrub: scrubTenant });
const webhookLog = (id: string): Scrubbing<Webhook> => ({ noun: "webhook", id, schema: Webhook, scrub: scrubWebhook });
