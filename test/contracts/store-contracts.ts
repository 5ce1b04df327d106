import * as z from "zod";
import { type Clock, systemClock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import { systemIds } from "../../shared/base/id.ts";
import { EMPTY_BALANCE } from "../../shared/billing/balances/balance.ts";
import { createBalanceStore } from "../../shared/billing/balances/balance-store.dynamo.ts";
import { BOOKS } from "../../shared/billing/invoices/invoice-book.ts";
import { createInvoiceBookStore } from "../../shared/billing/invoices/invoice-book-store.dynamo.ts";
import type { Dynamo } from "../../shared/dynamo/client.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createRevisionLog } from "../../shared/dynamo/revision-log.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { createLeaseStore } from "../../shared/limits/lease-store.dynamo.ts";
import { wholeLevel } from "../../shared/limits/level.ts";
import { policiesOf, type SlotPolicy } from "../../shared/limits/policy.ts";
import { SLOT_GRACE_MS, SLOT_LIFE_MS, type SlotView } from "../../shared/limits/slot-entries.ts";
import { createSlotStore } from "../../shared/limits/slot-store.dynamo.ts";
import { createLedger } from "../../shared/usage/ledger/ledger.dynamo.ts";
import { MINUTE_MS } from "../../shared/usage/period.ts";
import { createIdempotencyStore } from "../../shared/usage/retries/idempotency-store.dynamo.ts";
import { createSealStore } from "../../shared/usage/seals/seal-store.dynamo.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";

const TIMEOUT_MS = 1_000;

/** What a store's conditional step must keep, whichever engine is below it: of those who take the same step at once one succeeds, and the others change nothing. */
export type Contract = {
  readonly name: string;
  /** A noun of its own, and the step that only one writer can take on it; answers whether this one did. */
  readonly step: (stores: Stores) => Promise<(writer: number) => Promise<boolean>>;
  /** What the step asks of the engine. */
  readonly operation: "PutItem" | "UpdateItem";
};

export type Stores = { readonly dynamo: Dynamo; readonly lean: LeanDynamo };

const BOOK = BOOKS.credits;
const Boat = z.object({ oars: z.int() });

export const CONTRACTS: readonly Contract[] = [
  {
    name: "revision log: append after the same revision",
    operation: "PutItem",
    async step({ dynamo }) {
      const boats = createRevisionLog(dynamo, { name: "boat", schema: Boat });
      const id = systemIds.base62(8);
      const change = { by: "ann", why: "", atMs: systemClock.nowMs() };
      return (oars) => asWon(boats.append(id, 0, { body: { oars }, change }), "conflict");
    },
  },
  {
    name: "ledger: reserve one request's row in different epochs",
    operation: "PutItem",
    async step({ lean }) {
      const [ledger, reservation] = [ledgerOver(lean), newReservation()];
      return (writer) => asWon(ledger.reserve({ ...reservation, epoch: writer + 1 }, TIMEOUT_MS), "unavailable");
    },
  },
  {
    name: "ledger: take the place of a row that was never reserved",
    operation: "PutItem",
    async step({ lean }) {
      const [ledger, { requestId, tenant }] = [ledgerOver(lean), newReservation()];
      return () => ledger.annul({ requestId, tenant }, { state: "absent", isVoided: false });
    },
  },
  {
    name: "ledger: annul a pending row",
    operation: "UpdateItem",
    async step({ lean }) {
      const [ledger, reservation] = [ledgerOver(lean), newReservation()];
      await ledger.reserve({ ...reservation, epoch: 1 }, TIMEOUT_MS);
      const row = await ledger.findEarlier(reservation);
      return () => ledger.annul(reservation, row);
    },
  },
  {
    name: "idempotency: claim a key",
    operation: "PutItem",
    async step({ lean }) {
      const store = idempotencyOver(lean);
      const claim = newClaim();
      return () => store.claim({ ...claim(), epoch: 1 }, undefined);
    },
  },
  {
    name: "idempotency: take a key over from the same claim",
    operation: "PutItem",
    async step({ lean }) {
      const store = idempotencyOver(lean);
      const claim = newClaim();
      const before = { ...claim(), epoch: 1 };
      await store.claim(before, undefined);
      return () => store.claim({ ...claim(), epoch: 2 }, before);
    },
  },
  {
    name: "seals: close a bucket",
    operation: "UpdateItem",
    async step({ lean }) {
      const store = createSealStore({ lean, tablePrefix: "weir" });
      const minute = newMinute();
      const digestOf = (writer: number) => String(writer).repeat(64);
      return async (writer) => {
        const seal = { revision: 1, rowCount: 1, digest: digestOf(writer), sealedAtMs: writer, tenants: [] };
        await store.close([{ minute, shard: 0, seal }]);
        const { head } = (await store.readBlock({ hour: minute.slice(0, 13), group: 0 })).get(minute)?.get(0) ?? {};
        return head?.digest === digestOf(writer);
      };
    },
  },
  {
    name: "totals: put what follows from the same changes",
    operation: "PutItem",
    async step({ lean }) {
      const store = createTotalStore({ lean, tablePrefix: "weir" });
      const [tenant, period] = [systemIds.base62(8), { kind: "hour" as const, name: "2026-11-23T19" }];
      return async (writer) => {
        await store.put({ tenant, period, changes: 1, sums: [], seconds: [{ model: `of writer ${writer}`, histogram: [] }] });
        return (await store.get(tenant, period))?.seconds[0]?.model === `of writer ${writer}`;
      };
    },
  },
  {
    name: "sealing: publish an hour after the same changes",
    operation: "PutItem",
    async step({ lean }) {
      const store = createSealingStore({ lean, tablePrefix: "weir" });
      const hour = newMinute().slice(0, 13);
      return async (writer) => {
        await store.publish({ hour, changes: 1, sealed: writer, audited: 0, of: 60 });
        return (await store.published(hour.slice(0, 7))).find((each) => each.hour === hour)?.sealed === writer;
      };
    },
  },
  {
    name: "events: move a delivery on",
    operation: "UpdateItem",
    async step({ lean }) {
      const store = createEventStore({ lean, tablePrefix: "weir" });
      const id = systemIds.base62(8);
      await store.deliver({ id, type: "webhook.test", tenant: "acme", at: new Date(systemClock.nowMs()).toISOString(), data: {} }, "hook");
      const before = await store.find("hook", id);
      if (before === undefined) throw new Error("a delivery was made");
      return (writer) => store.move(before, { ...before, attempts: 1, outcome: `of writer ${writer}` });
    },
  },
  {
    name: "limits: lease the last credit",
    operation: "UpdateItem",
    async step({ lean }) {
      const store = createLeaseStore({ lean, tablePrefix: "weir", lessee: "me" });
      const { perSecond: policy } = onePolicies();
      const nowUs = systemClock.nowMs() * 1_000;
      return async () => (await store.lease({ policy, need: 1, want: 1, nowUs, level: wholeLevel(policy) })).granted === 1;
    },
  },
  {
    name: "limits: lease the last credit of a day",
    operation: "UpdateItem",
    async step({ lean }) {
      const store = createLeaseStore({ lean, tablePrefix: "weir", lessee: "me" });
      const { perDay: policy } = onePolicies();
      const nowUs = systemClock.nowMs() * 1_000;
      return async () => (await store.lease({ policy, need: 1, want: 1, nowUs, level: wholeLevel(policy) })).granted === 1;
    },
  },
  {
    name: "limits: hold the last slot",
    operation: "UpdateItem",
    async step({ lean }) {
      const { slot: policy } = onePolicies();
      const hold = slotHolder(lean, policy);
      return async (writer) => (await hold(`holder-${writer}`, { need: 1 })).granted === 1;
    },
  },
  {
    name: "limits: hold the slot that another has given back",
    operation: "UpdateItem",
    async step({ lean }) {
      const { slot: policy } = onePolicies();
      const hold = slotHolder(lean, policy);
      const { view } = await hold("other", { need: 1 });
      await hold("other", { need: 0, view });
      return async (writer) => (await hold(`holder-${writer}`, { need: 1 })).granted === 1;
    },
  },
  {
    name: "limits: hold the slot of a process that was killed",
    operation: "UpdateItem",
    async step({ lean }) {
      const { slot: policy } = onePolicies();
      const hold = slotHolder(lean, policy);
      await hold("killed", { need: 1, clock: { nowMs: () => systemClock.nowMs() - SLOT_LIFE_MS - SLOT_GRACE_MS } });
      return async (writer) => (await hold(`holder-${writer}`, { need: 1 })).granted === 1;
    },
  },
  {
    name: "balance: write what follows from the same version",
    operation: "PutItem",
    async step({ lean }) {
      const store = createBalanceStore({ lean, tablePrefix: "weir" });
      const tenant = systemIds.base62(8);
      return () => store.write(tenant, { balance: EMPTY_BALANCE, version: 0 });
    },
  },
  {
    name: "invoice book: take the next number",
    operation: "UpdateItem",
    async step({ dynamo }) {
      const store = createInvoiceBookStore(dynamo);
      const { next, pending } = await store.read(BOOK);
      if (pending !== undefined) await store.clear(BOOK, pending); // of the test before
      return (writer) => store.take(BOOK, { number: next, bearer: `invoice-${writer}`, atMs: 0 });
    },
  },
];

/** Of a tenant of its own: one request in 1,000 seconds, one a day, and one at the same time. */
function onePolicies() {
  const tenant = {
    id: systemIds.base62(8),
    rate: { requestsPerSecond: 0.001, burst: 1 },
    limits: { requestsPerDay: 1, concurrentRequests: 1 },
  };
  const { requests, slots } = policiesOf({ tenant, key: { id: "k" } });
  const [[perSecond, perDay], [slot]] = [requests, slots];
  if (perSecond === undefined || perDay === undefined || slot === undefined) throw new Error("three policies were asked for");
  return { perSecond, perDay, slot };
}

type Holds = { readonly need: number; readonly view?: SlotView; readonly clock?: Clock };

function slotHolder(lean: LeanDynamo, policy: SlotPolicy) {
  return (holder: string, { need, view, clock = systemClock }: Holds) =>
    createSlotStore({ lean, tablePrefix: "weir", holder }).hold({ policy, view, atLeast: 0, need, want: need, clock });
}

function ledgerOver(lean: LeanDynamo) {
  const schedule = [{ fromMinute: "", shardCount: 1 }];
  return createLedger({ lean, tablePrefix: "weir", schedule, clock: systemClock, log: () => {} });
}

function newReservation() {
  return {
    ...{ requestId: systemIds.requestId(systemClock.nowMs()), tenant: "acme", keyId: "k", model: "gpt", version: 1, arm: "stable" },
    ...{ dialect: "openai" as const, task: "generate", inputs: 1, priceVersion: 0, fingerprint: "f", expiresInMs: 60_000 },
  };
}

/** Its steps are repeated for ten seconds; by a clock that is in a hurry that is soon over. */
function idempotencyOver(lean: LeanDynamo) {
  const startMs = systemClock.nowMs();
  const clock = { nowMs: () => startMs + 10 * (systemClock.nowMs() - startMs) };
  const bodies = { put: async () => {}, get: async () => undefined };
  return createIdempotencyStore({ lean, tablePrefix: "weir", clock, bodies });
}

/** Claims of different requests on one key. */
function newClaim() {
  const id = `acme#${systemIds.base62(8)}`;
  const nowMs = systemClock.nowMs();
  return () => ({ id, requestId: systemIds.requestId(nowMs), fingerprint: "f", claimedAtMs: nowMs });
}

let minutes = 0;

/** A minute of an hour that no other contract has. */
function newMinute(): string {
  minutes += 1;
  return new Date(Date.UTC(2026, 10, 1) + minutes * 60 * MINUTE_MS).toISOString().slice(0, 16);
}

async function asWon(work: Promise<unknown>, lost: Failure["code"]): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (cause) {
    // Who lost learns it at once; a store that did not answer is another matter, whatever its word.
    if (cause instanceof Failure && cause.code === lost && !isStoreAway(cause)) return false;
    throw cause;
  }
}

function isStoreAway({ cause }: Failure): boolean {
  return cause instanceof Error && !/another's|conditional/i.test(cause.message);
}
