import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../shared/base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { firstTenantAtMs } from "../../shared/tenants/made-at.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createLedger } from "../../shared/usage/ledger/ledger.dynamo.ts";
import { createRowReader } from "../../shared/usage/ledger/row-reader.dynamo.ts";
import { HOUR_MS, MINUTE_MS, periodAt, startOf } from "../../shared/usage/period.ts";
import { IDENTITY_KEPT_MS } from "../../shared/usage/retries/idempotency.ts";
import { createIdempotencyStore, createIdentities } from "../../shared/usage/retries/idempotency-store.dynamo.ts";
import { minuteOf } from "../../shared/usage/row.ts";
import { createSealReader, createTotalReader } from "../../shared/usage/seals/seal-reader.ts";
import { createSealStore } from "../../shared/usage/seals/seal-store.dynamo.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { listed, roundsAt, rowAt } from "../../test/harness/sealing.ts";
import { composeRound } from "./compose.ts";

const SCHEDULE = [{ fromMinute: "", shardCount: 2 }];
/** More than a day ago by the clock that the store has, too. */
const FROM_MS = startOf(periodAt("hour", systemClock.nowMs() - 26 * HOUR_MS).name);
const HOUR = { fromMs: FROM_MS, toMs: FROM_MS + HOUR_MS };

let store: TestDynamo;
let lean: LeanDynamo;
beforeAll(async () => {
  store = await startDynamo();
  lean = createLeanDynamo(store.dynamo.settings, systemClock);
});
afterAll(async () => {
  await lean.close();
  await store.close();
});

test("on a real engine: from the first tenant to the re-audit, by the gateway's own ledger", async () => {
  const tenants = createTenantStore(store.dynamo);
  const body = { id: "acme", name: "Acme", isClosed: false, rate: { requestsPerSecond: 10, burst: 10 } };
  const change = { by: "test", why: "", atMs: HOUR.fromMs + 120_000 };
  await tenants.append("acme", 0, { body, change });
  await tenants.append("acme", 1, { body: { ...body, name: "Acme Ltd" }, change: { ...change, atMs: HOUR.toMs + HOUR_MS } });
  const source = { lean, tablePrefix: "weir", schedule: SCHEDULE };
  // The ledger stands in that hour: it takes no rows of yesterday.
  let atMs = HOUR.fromMs;
  const ledger = createLedger({ ...source, clock: { nowMs: () => atMs }, log: () => {} });
  for (let row = 0; row < 30; row += 1, atMs += 100_000) await ledger.settle(rowAt(atMs), 5_000);
  atMs = HOUR.fromMs + 40 * MINUTE_MS;
  const stream = rowAt(HOUR.fromMs + 40 * MINUTE_MS, { idempotency: "acme#key" });
  const keys = createIdempotencyStore({ ...source, clock: systemClock, bodies: { put: async () => {}, get: async () => undefined } });
  const claim = { id: "acme#key", requestId: stream.requestId, epoch: 1, fingerprint: "f", claimedAtMs: HOUR.fromMs };
  await keys.claim(claim, undefined);
  await keys.keep(claim, { contentType: "application/json", headers: {}, body: Buffer.from("{}") });
  const reserved = await ledger.reserve({ ...stream, epoch: 1, expiresInMs: 60_000 }, 5_000);
  const progress = { servedVersion: 1, tier: "cpu", inputTokens: 7, outputTokens: 64, computeMs: 3 } as const;
  await reserved.checkpoint({ ...progress, expiresInMs: 2 * HOUR_MS }, 5_000);
  const identities = createIdentities({ ...source, clock: systemClock });
  const round = composeRound({ ...source, identities, firstTenantAtMs: () => firstTenantAtMs(tenants), log: () => {} });

  await roundsAt(round, HOUR.toMs + HOUR_MS / 4);
  const sealing = createSealingStore(source);
  const totals = createTotalStore(source);
  const seals = createSealReader({ seals: createSealStore(source), sealing, totals, schedule: SCHEDULE });
  expect(await sealing.frontier()).toMatchObject({ firstHour: periodAt("hour", HOUR.fromMs).name });
  expect(await seals.completeness(HOUR)).toEqual({ sealed: 119, audited: 0, of: 120 });
  expect(await seals.firstUnsealed(HOUR)).toMatchObject({ minute: minuteOf(HOUR.fromMs + 40 * MINUTE_MS) });
  // The hours in between are not what is tried here.
  await sealing.moveOn(periodAt("hour", systemClock.nowMs()).name);
  expect((await keys.find("acme#key"))?.answer).toBeDefined();
  await roundsAt(round, systemClock.nowMs());

  expect((await keys.find("acme#key"))?.answer).toBeUndefined();
  expect(await seals.completeness(HOUR)).toEqual({ sealed: 120, audited: 120, of: 120 });
  const [total] = await listed(createTotalReader(totals).totals("acme", "month", HOUR));
  expect(total?.sums).toMatchObject([{ requests: 31, inputTokens: 31 * 7, outputTokens: 64 }]);
  const rows = await listed(createRowReader({ ...source, seals }).rows("acme", HOUR));
  expect(rows).toHaveLength(31);
  expect(rows.find(({ requestId }) => requestId === stream.requestId)).toMatchObject({ outcome: "cut", outputTokens: 64 });

  const forgottenMs = HOUR.toMs + IDENTITY_KEPT_MS;
  await sealing.moveOn(periodAt("hour", forgottenMs).name);
  await roundsAt(round, forgottenMs);
  expect(await keys.find("acme#key")).toBeUndefined();
});
