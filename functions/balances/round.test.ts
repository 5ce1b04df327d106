import { beforeEach, expect, test } from "vitest";
import { systemIds } from "../../shared/base/id.ts";
import { applyCredit } from "../../shared/billing/balances/apply-credit.ts";
import { balancePico, leasedPico } from "../../shared/billing/balances/balance.ts";
import type { Credit } from "../../shared/billing/balances/credit.ts";
import { createSpender, type Spender } from "../../shared/billing/balances/spender.ts";
import { picoOf } from "../../shared/billing/money.ts";
import { PriceBook } from "../../shared/billing/prices/price-book.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { WeirEvent } from "../../shared/events/event.ts";
import { Tenant } from "../../shared/tenants/tenant.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { bucketKey, minuteOf, type UsageRow } from "../../shared/usage/row.ts";
import { createMemoryBalances, createMemoryLog, type MemoryBalances } from "../../test/harness/memory-balances.ts";
import { createSealingWorld, rowAt, type SealingWorld } from "../../test/harness/sealing.ts";
import { createBalancesRound } from "./round.ts";

const START_MS = Date.UTC(2026, 10, 23, 12);
/** A request that reads 7 tokens and takes 3 ms costs 0.017. */
const BOOK = PriceBook.parse({
  ...{ name: "standard", currency: "EUR", effectiveFrom: "2026-01-01T00:00:00Z" },
  entries: [{ perRequest: { price: "0.007" }, per1000InputTokens: { price: "1" }, perComputeMs: { cpu: { price: "0.001" } } }],
});
const COST_PICO = picoOf("0.017");
const TENANT = Tenant.parse({
  ...{ id: "acme", name: "acme", isClosed: false, rate: { requestsPerSecond: 1, burst: 1 } },
  billing: { priceBook: "standard", isPrepaid: true, budget: { amount: "0.1", alertPercents: [10, 50, 100] } },
});

let nowMs: number;
let tenant: Tenant;
let world: SealingWorld;
let balances: MemoryBalances;
let told: Map<string, WeirEvent>;
let logged: unknown[];
beforeEach(async () => {
  nowMs = START_MS;
  tenant = TENANT;
  world = createSealingWorld({ schedule: [{ fromMinute: "", shardCount: 1 }], firstTenantAtMs: START_MS - HOUR_MS });
  balances = createMemoryBalances();
  told = new Map();
  logged = [];
  const stamp = { by: "test", why: "", atMs: nowMs };
  const credit = { tenant: "acme", id: "c", kind: "grant", amountPico: `${picoOf("1")}`, expiresAt: null, priority: 0 } as const;
  await applyCredit({ balances, credits: createMemoryLog<Credit>() }, { credit, stamp });
});

const clock = { nowMs: () => nowMs };
const newSpender = (lessee: string) => createSpender({ store: balances, clock, ids: systemIds, lessee });

/** A log of one thing, of which nothing was ever changed. */
function logOf<T>(body: T): RevisionLog<T> {
  const revision = { revision: 1, body, by: "test", why: "", at: new Date(START_MS).toISOString() };
  const page = async () => ({ items: [revision] });
  return { ...createMemoryLog<T>(), list: page, history: page, current: async () => revision };
}

const baseDeps = () => ({ tenants: logOf(tenant), prices: logOf(BOOK), balances, seals: world.seals, totals: world.totals });

/** Lets the sealer and the round run, as often as they would in the time. */
async function wait(ms: number) {
  nowMs += ms;
  await world.sealAt(nowMs);
  const emit = async (event: WeirEvent) => void told.set(event.id, told.get(event.id) ?? event);
  const log = (...words: unknown[]) => logged.push(words);
  const round = createBalancesRound({ ...baseDeps(), outbox: { emit }, log });
  const signal = new AbortController().signal;
  await Promise.all([round({ nowMs, signal }), round({ nowMs, signal })]);
}

/** A request as a gateway serves it: held, worked on, settled. */
async function serve(spender: Spender, values: Partial<UsageRow> = {}): Promise<UsageRow> {
  const hold = await spender.hold({ tenant: "acme", acceptedAtMs: nowMs, book: "standard", mostPico: 2n * COST_PICO });
  const row = rowAt(nowMs, { lease: hold.lease, ...values });
  await world.settle(row);
  hold.settle(COST_PICO);
  return row;
}

test("a lease comes back as what was granted less its sealed rows, also when its process died", async () => {
  const [dying, living] = [newSpender("dying"), newSpender("living")];
  for (let request = 0; request < 5; request += 1) await serve(dying);
  for (let request = 0; request < 3; request += 1) await serve(living);
  await living.drain();
  expect(leasedPico(balances.peek("acme"))).toBeGreaterThan(8n * COST_PICO);

  await wait(20 * MINUTE_MS);
  expect(balances.peek("acme").leases).toHaveLength(2); // its last minutes are not sealed yet
  await wait(20 * MINUTE_MS);

  expect(balances.peek("acme")).toMatchObject({ leases: [], spentPico: 8n * COST_PICO, debtPico: 0n });
  expect(balancePico(balances.peek("acme"))).toBe(picoOf("1") - 8n * COST_PICO);
  expect(logged).toEqual([]);
});

test("all leases that a round settles cost the balance one write", async () => {
  for (let process = 0; process < 12; process += 1) await serve(newSpender(`p${process}`));
  const before = balances.writeCount();

  await wait(HOUR_MS);

  expect(balances.peek("acme")).toMatchObject({ leases: [], spentPico: 12n * COST_PICO });
  expect(balances.writeCount() - before).toBeLessThanOrEqual(2); // of two rounds at once
});

test("a row that is pending holds its lease until the sealer has expired it", async () => {
  const spender = newSpender("p1");
  const { lease } = await spender.hold({ tenant: "acme", acceptedAtMs: nowMs, book: "standard", mostPico: COST_PICO });
  await world.reserve(rowAt(nowMs, { lease }), { expiresAtMs: nowMs + 35 * MINUTE_MS, checkpointed: 1 });

  await wait(32 * MINUTE_MS);
  expect(balances.peek("acme").leases).toHaveLength(1);
  await wait(30 * MINUTE_MS);

  expect(balances.peek("acme")).toMatchObject({ leases: [], spentPico: COST_PICO });
});

test("a row that is voided after its seal comes back a day later, and one that came late is charged", async () => {
  const spender = newSpender("p1");
  const rows = [await serve(spender), await serve(spender)];
  await wait(40 * MINUTE_MS);
  expect(balances.peek("acme").spentPico).toBe(2n * COST_PICO);
  for (const row of rows) await world.mark(row);
  await world.settle({ ...rowAt(START_MS), ...(rows[0]?.lease === undefined ? {} : { lease: rows[0].lease }) });

  for (let hours = 0; hours < 52; hours += 4) await wait(4 * HOUR_MS);

  expect(balances.peek("acme")).toMatchObject({ hours: [], spentPico: COST_PICO });
  expect(balancePico(balances.peek("acme"))).toBe(picoOf("1") - COST_PICO);
});

test("a lease that was taken long after its id was made pays for its last rows, too", async () => {
  nowMs += HOUR_MS - 10_000;
  let standsStillMs = 9 * MINUTE_MS; // as a machine does that sleeps in the middle of the call
  const read: MemoryBalances["read"] = (tenant) => {
    nowMs += standsStillMs;
    standsStillMs = 0;
    return balances.read(tenant);
  };
  const spender = createSpender({ store: { ...balances, read }, clock, ids: systemIds, lessee: "p1" });
  const asked = { tenant: "acme", acceptedAtMs: nowMs, book: "standard", mostPico: COST_PICO };
  await expect(spender.hold(asked)).rejects.toMatchObject({ code: "timeout" });
  nowMs += 9 * MINUTE_MS;
  await serve(spender);
  await wait(40 * MINUTE_MS);
  expect(balances.peek("acme")).toMatchObject({ leases: [], spentPico: COST_PICO });

  for (let hours = 0; hours < 52; hours += 4) await wait(4 * HOUR_MS);

  expect(balances.peek("acme")).toMatchObject({ hours: [], spentPico: COST_PICO });
  expect(balancePico(balances.peek("acme"))).toBe(picoOf("1") - COST_PICO);
});

test("each share of a budget is told once, as is a balance that comes to its end", async () => {
  const spender = newSpender("p1");
  for (let request = 0; request < 4; request += 1) await serve(spender);
  await wait(90 * MINUTE_MS);
  const early = [...told.keys()];
  for (let request = 0; request < 52; request += 1) await serve(spender);
  await wait(2 * HOUR_MS);
  await wait(DAY_MS);

  expect(early).toEqual(["budget-acme-2026-11-10-of-0.1", "budget-acme-2026-11-50-of-0.1"]);
  expect([...told.keys()].sort()).toEqual([
    "balance-low-acme-1",
    "budget-acme-2026-11-10-of-0.1",
    "budget-acme-2026-11-100-of-0.1",
    "budget-acme-2026-11-50-of-0.1",
  ]);
  expect(told.get("budget-acme-2026-11-50-of-0.1")).toMatchObject({
    type: "budget.threshold_reached",
    data: { percent: 50, spent: "0.068", currency: "EUR" },
  });
});

test("a minute that cannot be sealed holds the leases of its hour, and not those before and after it", async () => {
  const pk = bucketKey(minuteOf(START_MS + 90 * MINUTE_MS), 0);
  const leases: string[] = [];
  for (const process of ["before", "within", "after"]) {
    const { lease } = await serve(newSpender(process));
    leases.push(lease ?? "");
    nowMs += 90 * MINUTE_MS;
  }
  await world.put({ pk: { S: pk }, sk: { S: "acme#not-a-row" } });

  await wait(2 * HOUR_MS);
  await wait(HOUR_MS);

  expect(balances.peek("acme").leases.map(({ id }) => id)).toEqual(leases.slice(1, 2));
  expect(balances.peek("acme").spentPico).toBe(2n * COST_PICO);
  expect(world.logged).not.toEqual([]);
});

test("a closed tenant's leases are settled, and nothing is told of it any more: its events may be erased by then", async () => {
  const spender = newSpender("p1");
  for (let request = 0; request < 56; request += 1) await serve(spender);
  tenant = { ...TENANT, isClosed: true };

  await wait(2 * HOUR_MS);

  expect(balances.peek("acme")).toMatchObject({ leases: [], spentPico: 56n * COST_PICO });
  expect([...told.keys()]).toEqual([]);
});

test("after a round that was told to stop the next one begins with the tenants that it had not come to, and the one after with all", async () => {
  const pages = [["a", "b"], ["c"]].map((ids) => ids.map((id) => ({ ...TENANT, id })));
  const stamp = { revision: 1, by: "test", why: "", at: new Date(START_MS).toISOString() };
  const list: RevisionLog<Tenant>["list"] = async (_, { cursor = "0" }) => ({
    items: (pages[Number(cursor)] ?? []).map((body) => ({ ...stamp, body })),
    ...(cursor === "0" ? { nextCursor: "1" } : {}),
  });
  const seen: string[] = [];
  let stopping = new AbortController();
  const read: MemoryBalances["read"] = (id) => {
    if (seen.at(-1) !== id) seen.push(id);
    if (id === "a" && seen.length === 1) stopping.abort();
    return balances.read(id);
  };
  const tenants = { ...logOf(TENANT), list };
  const outbox = { emit: async () => {} };
  const round = createBalancesRound({
    ...baseDeps(),
    tenants,
    balances: { ...balances, read },
    outbox,
    log: (...words) => logged.push(words),
  });
  const run = () => {
    const { signal } = stopping;
    return round({ nowMs, signal });
  };

  expect(await run()).toEqual({ hasMore: true });
  stopping = new AbortController();
  expect(await run()).toEqual({ hasMore: false });
  expect(seen).toEqual(["a", "b", "c"]);
  expect(await run()).toEqual({ hasMore: false });

  expect(seen).toEqual(["a", "b", "c", "a", "b", "c"]);
  expect(logged).toEqual([]);
});
