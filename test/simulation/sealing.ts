import { composeRound } from "../../functions/sealer/compose.ts";
import { firstTenantAtMs } from "../../functions/sealer/first-tenant.ts";
import type { Clock } from "../../shared/base/clock.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createPatientLean } from "../../shared/dynamo/patient-lean.ts";
import { startTimer } from "../../shared/schedule/timer.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createIdentities } from "../../shared/usage/idempotency-store.dynamo.ts";
import { HOUR_MS, MINUTE_MS, periodAt } from "../../shared/usage/period.ts";
import type { Total } from "../../shared/usage/sealed.ts";
import { createTotalStore } from "../../shared/usage/total-store.dynamo.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import { CONFIG, TABLE_PREFIX } from "./gateway.ts";
import { createSdkLink } from "./sdk-link.ts";
import { TENANTS } from "./seed-store.ts";
import type { Machine, World } from "./world.ts";

const EVERY_MS = 20_000;
const ROUND_TIMEOUT_MS = 10 * MINUTE_MS;
/** When every hour with traffic has been read again: a day and some hours later. */
const AUDITED_AFTER_MS = 27 * HOUR_MS;
const ROUNDS_MAX = 20;

/**
 * The product's own sealer on a machine, with its own timer. One that is ahead does not know: the store's answers say no time. Then it meets
 * rows whose requests are still at work, which a right clock never does, and only the conditions of its steps stand between them.
 */
export function startSealer(world: World, machine: Machine, { link, aheadMs }: { link: LeanDynamo; aheadMs: number }) {
  const lean = aheadMs === 0 ? link : { ...link, clockSkewMs: () => 0 };
  startTimer({
    name: machine.name,
    everyMs: EVERY_MS,
    roundTimeoutMs: ROUND_TIMEOUT_MS,
    round: sealerRound(createPatientLean(lean), machine.clock),
    // Hours ahead and blind would be beyond every promise: rows would come after their re-audit.
    clock: aheadMs === 0 ? machine.clock : { nowMs: () => world.nowMs() + aheadMs },
    log: () => {},
  });
}

function sealerRound(lean: LeanDynamo, clock: Clock) {
  const tenants = createTenantStore(createSdkLink(lean, TABLE_PREFIX));
  const identities = createIdentities({ lean, tablePrefix: TABLE_PREFIX, clock });
  const settings = { lean, tablePrefix: TABLE_PREFIX, schedule: CONFIG.WEIR_SHARDS, log: () => {} };
  return composeRound({ ...settings, identities, firstTenantAtMs: () => firstTenantAtMs(tenants) });
}

/** Seals and reads again all that there is, as the rounds of the following day would, and answers the totals of the month. */
export async function sealAll(world: World, store: FakeDynamo): Promise<readonly Total[]> {
  const atMs = world.nowMs() + AUDITED_AFTER_MS;
  const lean = directLink(store, atMs);
  const round = sealerRound(lean, world);
  for (let count = 0; (await round({ nowMs: atMs, signal: new AbortController().signal })).hasMore; count += 1) {
    if (count === ROUNDS_MAX) throw new Error(`the sealer has not come to an end in ${ROUNDS_MAX} rounds`);
  }
  const totals = createTotalStore({ lean, tablePrefix: TABLE_PREFIX });
  const month = periodAt("month", world.nowMs());
  return (await Promise.all(TENANTS.map((tenant) => totals.get(tenant, month)))).filter((total) => total !== undefined);
}

/** The store without anything between: for what a history looks at when it is over. */
function directLink(store: FakeDynamo, nowMs: number): LeanDynamo {
  return {
    clockSkewMs: () => 0,
    close: async () => {},
    call: async <T>(operation: string, input: object) => store.apply(operation, input, { nowMs, lagMs: 0 }) as T, // the shapes of DynamoDB's own answers
  };
}
