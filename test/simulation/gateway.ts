import { setTimeout as sleep } from "node:timers/promises";
import type { Hono } from "hono";
import { v7 as uuidV7 } from "uuid";
import { createApp } from "../../edge/app.ts";
import { compose } from "../../edge/compose.ts";
import { readConfig } from "../../edge/config.ts";
import type { Deps } from "../../edge/deps.ts";
import type { EdgeEnv } from "../../edge/env.ts";
import { type Ids, toBase62 } from "../../shared/base/id.ts";
import { patientDynamo } from "../../shared/dynamo/client.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createIdempotencyStore, type KeptBodies } from "../../shared/usage/retries/idempotency-store.dynamo.ts";
import type { Random } from "../harness/random.ts";
import { createEngine, type Habits } from "./engine.ts";
import type { Machine, World } from "./world.ts";

export const TABLE_PREFIX = "weir";

/** Only what the composition asks for; everything that matters is given to it. */
export const CONFIG = readConfig({
  AWS_REGION: "eu-central-1",
  WEIR_DYNAMO_ENDPOINT: "http://127.0.0.1:9",
  WEIR_PEPPERS: JSON.stringify({ 1: "a pepper for simulations only" }),
  WEIR_POOLS: "[]",
  WEIR_INTAKE: JSON.stringify({ kind: "http", url: "http://127.0.0.1:9" }),
  // The day after the traffic has to be sealed, too, and nothing is in it.
  WEIR_SHARDS: JSON.stringify([
    { fromMinute: "", shardCount: 2 },
    { fromMinute: "2026-12-01T01:00", shardCount: 1 },
  ]),
});

export type Gateway = { readonly app: Hono<EdgeEnv>; readonly machine: Machine; readonly deps: Deps };

export type Surroundings = { readonly link: LeanDynamo; readonly bodies: KeptBodies; readonly habits?: Partial<Habits> | undefined };

/** Where large answers are kept: one place for all machines, which takes its time. */
export function createBodies(world: World): KeptBodies {
  const kept = new Map<string, Uint8Array>();
  return {
    async put(key, bytes) {
      await sleep(1 + world.random.below(40));
      kept.set(key, bytes);
    },
    async get(key) {
      await sleep(1 + world.random.below(40));
      return kept.get(key);
    },
  };
}

/** The product's own gateway on a machine of the world; its engine is simulated, and its store is seen through a link. */
export function startGateway(world: World, machine: Machine, { link, bodies, habits }: Surroundings): Gateway {
  return machine.run(() => {
    const { clock } = machine;
    const ids = idsOf(world.random);
    const composed = compose(CONFIG, { clock, ids, log: () => {}, store: { lean: link, dynamo: patientDynamo(link, TABLE_PREFIX) } });
    const pools = new Map([["cpu", { name: "cpu", tier: "cpu" as const, client: createEngine(world.random, habits) }]]);
    const idempotency = createIdempotencyStore({ lean: link, tablePrefix: TABLE_PREFIX, clock, bodies });
    const deps = { ...composed.deps, pools, idempotency };
    return { machine, deps, app: createApp(deps) };
  });
}

export function idsOf(random: Random): Ids {
  return {
    requestId: (nowMs) => uuidV7({ msecs: nowMs, random: Uint8Array.from({ length: 16 }, () => random.below(256)) }),
    base62: (length) => Array.from({ length }, () => toBase62(random.below(62), 1)).join(""),
  };
}
