import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TABLES, tableName } from "../../shared/dynamo/tables.ts";
import { createLeaseStore } from "../../shared/limits/lease-store.dynamo.ts";
import { wholeLevel } from "../../shared/limits/level.ts";
import { policiesOf } from "../../shared/limits/policy.ts";
import { createIdempotencyStore } from "../../shared/usage/retries/idempotency-store.dynamo.ts";
import { createFakeDynamo, type FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import { leanOver } from "../harness/fake-dynamo/lean.ts";
import { cpuStage, templateOf } from "./synthesise.ts";
import { at, resourcesOf } from "./template.ts";

const NOW_MS = Date.UTC(2026, 10, 26, 12);
const YEAR_SECONDS = 366 * 86_400;

/** One write of every kind that says how long it is to be kept, by the real stores. */
const WRITES: Readonly<Record<string, (store: FakeDynamo) => Promise<unknown>>> = {
  limits: async (store) => {
    const tenant = { id: "acme", rate: { requestsPerSecond: 1, burst: 1 }, limits: { requestsPerDay: 10 } };
    const daily = policiesOf({ tenant, key: { id: "k" } }).requests.find(({ refill }) => refill.kind === "day");
    if (daily === undefined) throw new Error("a daily policy was asked for");
    const leases = createLeaseStore({ lean: leanOver(store), tablePrefix: "weir", lessee: "a" });
    await leases.lease({ policy: daily, need: 1, want: 1, nowUs: NOW_MS * 1_000, level: wholeLevel(daily) });
  },
  idempotency: async (store) => {
    const bodies = { put: async () => {}, get: async () => undefined };
    const keys = createIdempotencyStore({ lean: leanOver(store), tablePrefix: "weir", clock: { nowMs: () => NOW_MS }, bodies });
    await keys.claim({ id: "acme#1", requestId: "r", epoch: 1, fingerprint: "f", claimedAtMs: NOW_MS }, undefined);
  },
};

test("the cloud's tables end their items by the attribute that is really written, in seconds, and no other table's items end", async () => {
  const specified = Object.fromEntries(
    resourcesOf(templateOf(cpuStage), "AWS::DynamoDB::GlobalTable").map(({ properties }) => [
      String(at(properties, "TableName")),
      at(properties, "TimeToLiveSpecification"),
    ]),
  );

  for (const table of TABLES) {
    const name = tableName(cpuStage.tablePrefix, table);
    const write = WRITES[table.name];
    if (write === undefined) {
      expect(specified[name], name).toBeUndefined();
      continue;
    }
    const store = createFakeDynamo({ tablePrefix: "weir" });
    await write(store);
    const [item] = store.items(table.name);
    const times = Object.entries(item ?? {}).filter(([, value]) => "N" in value && isSoon(Number(value.N)));
    expect(specified[name], name).toEqual({ AttributeName: times[0]?.[0], Enabled: true });
    expect(times, name).toHaveLength(1);
  }
});

/** A time in seconds that is yet to come; one in milliseconds is tens of thousands of years ahead. */
function isSoon(value: number): boolean {
  return value > NOW_MS / 1_000 && value < NOW_MS / 1_000 + YEAR_SECONDS;
}

test("the attribute is written by its name in tables.ts only, so that a table without one fails above", () => {
  const folder = new URL("../../shared/", import.meta.url);
  const stores = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".dynamo.ts"));
  const writers = stores.filter((name) => readFileSync(new URL(name, folder), "utf8").includes(".timeToLive"));

  expect(writers.sort()).toEqual(["limits/lease-store.dynamo.ts", "usage/retries/idempotency-store.dynamo.ts"]);
  expect(stores.filter((name) => /\bttl: \{ N/.test(readFileSync(new URL(name, folder), "utf8")))).toEqual([]);
});
