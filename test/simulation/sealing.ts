import { composeRound } from "../../functions/sealer/compose.ts";
import type { Clock } from "../../shared/base/clock.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createPatientLean } from "../../shared/dynamo/patient-lean.ts";
import { startTimer } from "../../shared/schedule/timer.ts";
import { firstTenantAtMs } from "../../shared/tenants/made-at.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createIdentities } from "../../shared/usage/retries/idempotency-store.dynamo.ts";
import type { Total } from "../../shared/usage/seals/sealed.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import { directLink, untilDone } from "./direct.ts";
import { CONFIG, TABLE_PREFIX } from "./gateway.ts";
import { TENANTS } from "./seed-store.ts";
import type { Machine, World } from "./world.ts";

const EVERY_MS = 20_000;

type Sealer = { readonly link: LeanDynamo; readonly aheadMs: number; readonly roundMsMax: number };

/**
 * The product's own sealer on a machine, with its own timer. One that is ahead does not know: the store's answers say no time. Then it meets
 * rows whose requests are still at work, which a right clock never does, and only the conditions of its steps stand between them.
 */
export function startSealer(world: World, machine: Machine, { link, aheadMs, roundMsMax }: Sealer) {
  const lean = aheadMs === 0 ? link : { ...link, clockSkewMs: () => 0 };
  startTimer({
    name: machine.name,
    everyMs: EVERY_MS,
    roundTimeoutMs: roundMsMax,
    round: sealerRound(createPatientLean(lean), machine.clock),
    // Hours ahead and blind would be beyond every promise: rows would come after their re-audit.
    clock: aheadMs === 0 ? machine.clock : { nowMs: () => world.nowMs() + aheadMs },
    log: () => {},
  });
}

function sealerRound(lean: LeanDynamo, clock: Clock) {
  const tenants = createTenantStore({ lean, tablePrefix: TABLE_PREFIX });
  const identities = createIdentities({ lean, tablePrefix: TABLE_PREFIX, clock });
  const settings = { lean, tablePrefix: TABLE_PREFIX, schedule: CONFIG.WEIR_SHARDS, log: () => {} };
  return composeRound({ ...settings, identities, firstTenantAtMs: () => firstTenantAtMs(tenants) });
}

/** Seals and reads again all that there is to be sealed by then. */
export async function sealAt(store: FakeDynamo, nowMs: number) {
  await untilDone("sealer", sealerRound(directLink(store, nowMs), { nowMs: () => nowMs }), nowMs);
}

/** The totals of all tenants and months. */
export async function totalsOf(store: FakeDynamo, months: readonly string[]): Promise<readonly Total[]> {
  const totals = createTotalStore({ lean: directLink(store, Number.MAX_SAFE_INTEGER), tablePrefix: TABLE_PREFIX });
  const all = TENANTS.flatMap((tenant) => months.map((name) => totals.get(tenant, { kind: "month", name })));
  return (await Promise.all(all)).filter((total) => total !== undefined);
}
