import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Agent } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compose as composeBalances } from "../../functions/balances/compose.ts";
import { readConfig as readBalancesConfig } from "../../functions/balances/config.ts";
import { compose as composeSealer } from "../../functions/sealer/compose.ts";
import { readConfig as readSealerConfig } from "../../functions/sealer/config.ts";
import { type AdminClient, createAdminClient } from "../../shared/clients/admin.ts";
import { createHttp } from "../../shared/clients/http.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { MINUTE_MS } from "../../shared/usage/period.ts";
import { type LedgerRow, readLedgerRows } from "../harness/ledger-rows.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

const TENANT = "prepaid";
const CALLERS = 8;
const KILLS = 3;
/** Answers before each kill, so that each falls into the middle of real load however slow the machine is. */
const ANSWERED_BETWEEN = 25;
const WAITS_MS_MAX = 90_000;
/** Whole cents, so that the sums below are exact. */
const PRICE = "0.01";
const GRANTED_CENTS = 300;
/** A lease lives for ten minutes, its last rows are sealed fifteen minutes after theirs. */
const SETTLED_AFTER_MS = 40 * MINUTE_MS;
const ROUNDS_MAX = 50;

let platform: TestPlatform;
let admin: AdminClient;
let key: string;
let agent: Agent;
beforeAll(async () => {
  platform = await startPlatform();
  agent = new Agent({ connections: CALLERS });
  admin = createAdminClient(createHttp({ url: platform.url, key: platform.operatorKey }));
  await admin.prices.set("single", { currency: "EUR", effectiveFrom: "2026-01-01T00:00:00Z", entries: [{ perRequest: { price: PRICE } }] });
  await admin.tenants.create({
    id: TENANT,
    rate: { requestsPerSecond: 10_000, burst: 10_000 },
    billing: { priceBook: "single", isPrepaid: true, discountBps: 0, taxRateBps: 0 },
  });
  key = (await admin.keys.create({ tenant: TENANT, name: "load", scopes: ["infer"] })).key;
  await admin.balances.grant(TENANT, { id: "payment-1", amount: "3", why: "paid" });
}, 120_000);
afterAll(async () => {
  await agent.close();
  await platform.remove();
});

test("kill -9 of the gateway while a balance is spent: no more is billed than was granted, and the last cent is accounted for", async () => {
  const startedAtMs = Date.now();
  const seen = { answered: new Set<string>(), refused: 0 };
  let isOver = false;

  const load = Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (!isOver) await askOnce(seen);
    }),
  );
  for (let kills = 0; kills < KILLS; kills += 1) {
    const before = seen.answered.size;
    await expect.poll(() => seen.answered.size, { timeout: WAITS_MS_MAX }).toBeGreaterThanOrEqual(before + ANSWERED_BETWEEN);
    await platform.kill("gateway");
  }
  await expect.poll(() => seen.refused, { timeout: WAITS_MS_MAX }).toBeGreaterThan(CALLERS); // whatever no dead process holds is spent
  isOver = true;
  await load;
  await platform.kill("gateway"); // this one's leases, too, come back by what is sealed alone
  await settleAt(Date.now() + SETTLED_AFTER_MS);

  const rows = (await readLedgerRows(platform.stateDir, startedAtMs)).filter(({ tenant }) => tenant === TENANT);
  const billed = rows.filter((row) => !row.isVoided && textOf(row, "st") === "S").map(({ requestId }) => requestId);
  const report = await admin.balances.show(TENANT);
  console.log(`answered ${seen.answered.size}, billed ${billed.length}, refused ${seen.refused}, left ${report.balance}`);
  expect([...seen.answered].filter((id) => !billed.includes(id))).toEqual([]);
  expect(new Set(billed).size).toBe(billed.length);
  expect(billed.length - seen.answered.size).toBeLessThanOrEqual(CALLERS * (KILLS + 1));
  expect(rows.filter((row) => textOf(row, "ls") === "")).toEqual([]);
  expect(billed.length).toBeLessThanOrEqual(GRANTED_CENTS);
  expect(report).toMatchObject({ leases: [], leased: "0", debt: "0", expired: "0", granted: "3" });
  expect(centsOf(report.spent)).toBe(billed.length);
  expect(centsOf(report.balance)).toBe(GRANTED_CENTS - billed.length);
}, 240_000);

async function askOnce(seen: { answered: Set<string>; refused: number }) {
  try {
    const { statusCode, headers, body } = await agent.request({
      origin: platform.url,
      path: "/hf/sentiment",
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ inputs: "the river rises" }),
      headersTimeout: 20_000,
      bodyTimeout: 20_000,
    });
    await body.text();
    if (statusCode === 200) seen.answered.add(String(headers["weir-request-id"]));
    if (statusCode === 402) seen.refused += 1;
  } catch {
    // The gateway died under it: nobody was answered.
  }
}

/** What the sealer and the balances function will have done by then: their rounds take the time as an argument. */
async function settleAt(nowMs: number) {
  const { dynamo } = JSON.parse(await readFile(join(platform.stateDir, "parts.json"), "utf8")) as { dynamo: { port: number } }; // written by cdk/local
  const place = { WEIR_DYNAMO_ENDPOINT: `http://127.0.0.1:${dynamo.port}` };
  for (const part of [composeSealer(readSealerConfig(place)), composeBalances(readBalancesConfig(place))]) {
    await untilDone(part.round, nowMs);
    await part.close();
  }
}

async function untilDone(round: Round, nowMs: number) {
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds += 1) {
    if (!(await round({ nowMs, signal: new AbortController().signal })).hasMore) return;
  }
  throw new Error(`there is still work after ${ROUNDS_MAX} rounds`);
}

function textOf({ item }: LedgerRow, name: string): string {
  const value = item[name];
  return value !== undefined && "S" in value ? value.S : "";
}

function centsOf(amount: string): number {
  return Math.round(Number(amount) * 100);
}
