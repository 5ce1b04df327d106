import type { Deps } from "../../edge/deps.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import type { Version, VersionFacts } from "../../shared/models/version.ts";
import { reshare } from "../../shared/routing/split.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import { createFakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import { CHANGE, storeKey } from "../harness/gateway.ts";
import { SELLER_OF_TESTS } from "../harness/invoices.ts";
import { EMBED, GENERATE } from "../harness/serving.ts";
import { NO_FOCUS } from "./focus.ts";
import { createBodies, startGateway, TABLE_PREFIX } from "./gateway.ts";
import { BILLING, BOOKS } from "./price-list.ts";
import { CALM, createStoreLink } from "./store-link.ts";
import { createWorld } from "./world.ts";

/** The last one pays before it is served. */
export const TENANTS = ["acme", "globex", "initech"] as const;
export const PREPAID = "initech";
export type TenantName = (typeof TENANTS)[number];
const RATE = { requestsPerSecond: 1_000, burst: 1_000 };
const MINUTE_MS = 60_000;

/** What every history begins with: tenants with a key each, their prices, a seller, a model of vectors and one of texts. */
export type Seeded = { readonly items: readonly Item[]; readonly keys: Readonly<Record<TenantName, string>>; readonly operatorKey: string };

let seeded: Promise<Seeded> | undefined;

/** Made once by the product's own stores, and the same for all histories of a process. */
export function seededStore(): Promise<Seeded> {
  seeded ??= seedStore();
  return seeded;
}

export function fillStore(store: FakeDynamo, { items }: Seeded, nowMs: number) {
  for (const item of items) store.apply("PutItem", { TableName: `${TABLE_PREFIX}-control`, Item: item }, { nowMs, lagMs: 0 });
}

async function seedStore(): Promise<Seeded> {
  const world = createWorld("seeding");
  const store = createFakeDynamo({ tablePrefix: TABLE_PREFIX });
  const machine = world.spawn("seeder", { offsetMs: 0, driftPpm: 0 });
  const counts = { calls: 0, lostAnswers: 0, lostCalls: 0, late: 0, throttled: 0 };
  const link = createStoreLink({ world, machine, store, weather: () => CALM, counts, focus: NO_FOCUS });
  const { deps } = startGateway(world, machine, { link, bodies: createBodies(world) });
  const keys = machine.run(() => seedControl(deps));
  await world.runUntil(world.nowMs() + MINUTE_MS);
  return { ...(await keys), items: store.items("control") };
}

async function seedControl(deps: Deps) {
  await seedModel(deps, "minilm", EMBED);
  await seedModel(deps, "smol", GENERATE);
  for (const body of BOOKS) await deps.control.prices.append(body.name, 0, { body, change: CHANGE });
  await deps.control.sellers.append(SELLER, 0, { body: SELLER_OF_TESTS, change: CHANGE });
  const keys: Partial<Record<TenantName, string>> = {};
  for (const tenant of [OPERATORS, ...TENANTS] as const) {
    // Made when the history begins: nothing before it needs sealing.
    const change = { ...CHANGE, atMs: deps.clock.nowMs() };
    const billing = tenant === OPERATORS ? {} : { billing: BILLING[tenant] };
    await deps.control.tenants.append(tenant, 0, { body: { id: tenant, name: tenant, isClosed: false, rate: RATE, ...billing }, change });
  }
  for (const tenant of TENANTS) keys[tenant] = await storeKey(deps, tenant, ["infer", "usage"]);
  const operatorKey = await storeKey(deps, OPERATORS, ["operate"]);
  return { keys: keys as Record<TenantName, string>, operatorKey }; // the loop has set each
}

async function seedModel({ control }: Deps, name: string, facts: VersionFacts) {
  await control.models.append(name, 0, { body: { name, tenants: "*" }, change: CHANGE });
  await control.versions.append(versionOf(name, facts), 0, CHANGE);
  await control.splits.append(name, 0, { body: reshare(name, undefined, [{ version: 1, shareBps: 10_000 }]), change: CHANGE });
}

function versionOf(model: string, facts: VersionFacts): Version {
  const files = [{ path: "config.json", bytes: 2, sha256: "0".repeat(64) }];
  const placement = { pool: "cpu", dtype: "fp32" } as const;
  return { model, number: 1, contentDigest: model, state: "ready", files, placement, facts, manifestDigest: "0".repeat(64) };
}
