import { systemClock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import { createTables } from "../../shared/dynamo/create-tables.ts";
import { createSdkDynamo } from "../../shared/dynamo/sdk.ts";
import { makeKey, peppersOf } from "../../shared/keys/key.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { createModelStore } from "../../shared/models/model-store.dynamo.ts";
import { createVersionStore } from "../../shared/models/version-store.dynamo.ts";
import { reshare } from "../../shared/routing/split.ts";
import { createSplitStore } from "../../shared/routing/split-store.dynamo.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";

const TENANTS = 50;
const RATE = { requestsPerSecond: 10_000, burst: 10_000 };

/** Fifty tenants with a key each, and a model of two versions, 90 % and 10 %, both on the mock engine. */
export async function seedBench(endpoint: string, settings: { engineUrl: string; pepper: string }): Promise<string[]> {
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "bench";
  const dynamo = createSdkDynamo({ region: "us-east-1", tablePrefix: "weir", endpoint });
  await createTables(dynamo);
  const change = { by: "bench", why: "bench", atMs: systemClock.nowMs() };
  await createModelStore(dynamo).append("bench", 0, { body: { name: "bench", tenants: "*" }, change });
  for (const number of [1, 2]) {
    const upstream = { url: settings.engineUrl, model: "bench" };
    await createVersionStore(dynamo).append(
      { model: "bench", number, state: "upstream", contentDigest: `bench ${number}`, upstream },
      0,
      change,
    );
  }
  const shares = [
    { version: 1, shareBps: 9_000 },
    { version: 2, shareBps: 1_000 },
  ];
  await createSplitStore(dynamo).append("bench", 0, { body: reshare("bench", undefined, shares), change });
  const keys = await Promise.all(Array.from({ length: TENANTS }, (_, index) => seedTenant(dynamo, `bench-${index}`, settings.pepper)));
  await dynamo.close();
  return keys;
}

async function seedTenant(dynamo: ReturnType<typeof createSdkDynamo>, tenant: string, pepper: string): Promise<string> {
  const change = { by: "bench", why: "bench", atMs: systemClock.nowMs() };
  const mint = { place: { env: "local", cell: "c1" }, ids: systemIds, peppers: peppersOf({ 1: pepper }) };
  const { key, text } = makeKey(mint, { tenant, name: "bench", scopes: ["infer"] });
  await createTenantStore(dynamo).append(tenant, 0, { body: { id: tenant, name: tenant, isClosed: false, rate: RATE }, change });
  await createKeyStore(dynamo).append(key.id, 0, { body: key, change });
  return text;
}
