import { systemClock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import type { Dynamo } from "../../shared/dynamo/client.ts";
import { peppersOf } from "../../shared/keys/key.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { type KeyMaker, provideKey } from "./first-keys.ts";
import { publishFirstModels } from "./first-models.ts";
import { PLACE } from "./parts.ts";
import type { Secrets } from "./secrets.ts";
import type { StateFolder } from "./state.ts";

export type SetUp = {
  readonly folder: StateFolder;
  readonly secrets: Secrets;
  readonly dynamo: Dynamo;
  /** Where the gateway answers. */
  readonly url: string;
  readonly say: (line: string) => void;
};

/** Gives a new machine its first tenants, keys and models. Every step may be done again, so the next start finishes what this one could not. */
export async function setUp(machine: SetUp): Promise<{ demoKey: string }> {
  const { folder, url } = machine;
  const maker = keyMakerOf(machine);
  const operator = { id: OPERATORS, name: "Operators of this machine" };
  const demo = { id: "demo", name: "Demo" };
  const operatorKey = await provideKey(
    maker,
    { tenant: operator, scopes: ["infer", "usage", "operate"], path: folder.path("operator.json") },
    url,
  );
  const demoKey = await provideKey(maker, { tenant: demo, scopes: ["infer", "usage"], path: folder.path("demo.json") }, url);
  if (!folder.state.isSetUp) {
    await publishFirstModels({ url, key: operatorKey, workDir: folder.path("first-models"), say: machine.say });
    folder.markSetUp();
  }
  return { demoKey };
}

function keyMakerOf({ dynamo, secrets }: SetUp): KeyMaker {
  return {
    tenants: createTenantStore(dynamo),
    keys: createKeyStore(dynamo),
    mint: { place: PLACE, ids: systemIds, peppers: peppersOf(secrets.peppers) },
    clock: systemClock,
  };
}
