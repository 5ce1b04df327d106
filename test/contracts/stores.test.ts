import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { systemClock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import { systemIds } from "../../shared/base/id.ts";
import { EMPTY_BALANCE } from "../../shared/billing/balances/balance.ts";
import { createBalanceStore } from "../../shared/billing/balances/balance-store.dynamo.ts";
import { BOOKS } from "../../shared/billing/invoices/invoice-book.ts";
import { createInvoiceBookStore } from "../../shared/billing/invoices/invoice-book-store.dynamo.ts";
import { createDynamo, type Dynamo } from "../../shared/dynamo/client.ts";
import { createLeanDynamo, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createRevisionLog } from "../../shared/dynamo/revision-log.ts";
import { createLeaseStore } from "../../shared/limits/lease-store.dynamo.ts";
import { wholeLevel } from "../../shared/limits/level.ts";
import { policiesOf } from "../../shared/limits/policy.ts";
import { createSlotStore } from "../../shared/limits/slot-store.dynamo.ts";
import { createLedger } from "../../shared/usage/ledger.dynamo.ts";
import { startDynamo, type TestDynamo } from "../harness/dynamo.ts";
import { type StoreValve, startStoreValve } from "../harness/store-valve.ts";

const WRITERS = 6;
const TIMEOUT_MS = 1_000;
const WAITS_MS_MAX = 60_000;

/** What a store's conditional step must keep, whichever engine is below it: of those who take the same step at once one succeeds, and the others change nothing. */
type Contract = {
  readonly name: string;
  /** A noun of its own, and the step that only one writer can take on it; answers whether this one did. */
  readonly step: (stores: Stores) => Promise<(writer: number) => Promise<boolean>>;
  /** What the step asks of the engine. */
  readonly operation: "PutItem" | "UpdateItem";
};

type Stores = { readonly dynamo: Dynamo; readonly lean: LeanDynamo };

const BOOK = BOOKS.credits;
const Boat = z.object({ oars: z.int() });

const CONTRACTS: readonly Contract[] = [
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
      const schedule = [{ fromMinute: "", shardCount: 1 }];
      const ledger = createLedger({ lean, tablePrefix: "weir", schedule, clock: systemClock, log: () => {} });
      const reservation = {
        ...{ requestId: systemIds.requestId(systemClock.nowMs()), tenant: "acme", keyId: "k", model: "gpt", version: 1, arm: "stable" },
        ...{ dialect: "openai" as const, task: "generate", inputs: 1, priceVersion: 0, fingerprint: "f", expiresInMs: 60_000 },
      };
      return (writer) => asWon(ledger.reserve({ ...reservation, epoch: writer + 1 }, TIMEOUT_MS), "unavailable");
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
    operation: "PutItem",
    async step({ lean }) {
      const { slot: policy } = onePolicies();
      return async (writer) => {
        const store = createSlotStore({ lean, tablePrefix: "weir", holder: `holder-${writer}` });
        return (await store.hold({ policy, atLeast: 0, want: 1, nowMs: systemClock.nowMs() })).granted === 1;
      };
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

let engine: TestDynamo;
let valve: StoreValve;
let stores: Stores;
beforeAll(async () => {
  engine = await startDynamo();
  valve = await startStoreValve(engine.endpoint);
  const dynamo = createDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint: valve.endpoint });
  stores = { dynamo, lean: createLeanDynamo(dynamo, systemClock) };
});
afterEach(() => valve.turn("open"));
afterAll(async () => {
  await stores.lean.close();
  stores.dynamo.client.destroy();
  await valve.close();
  await engine.close();
});

describe.for(CONTRACTS)("$name", ({ step, operation }) => {
  test("of many at once exactly one does", { timeout: WAITS_MS_MAX }, async () => {
    const take = await step(stores);

    const won = await Promise.all(Array.from({ length: WRITERS }, (_, writer) => take(writer)));

    expect(won.filter((each) => each)).toHaveLength(1);
  });

  test("a store that is away is said to be so, and nothing was done", { timeout: WAITS_MS_MAX }, async () => {
    const take = await step(stores);
    valve.turn("closed");

    await expect(take(0)).rejects.toMatchObject({ code: "unavailable" });
    valve.turn("open");

    expect(await take(1)).toBe(true);
  });

  test("one that is throttled is tried again or refused, and never done twice", { timeout: WAITS_MS_MAX }, async () => {
    const take = await step(stores);
    valve.once("throttled", operation);

    const first = await take(0).catch((cause: unknown) => cause);
    const second = await take(1);

    expect(first === true || (first instanceof Failure && first.code === "unavailable")).toBe(true);
    expect(second).toBe(first !== true);
  });
});

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
