import { credentialsOf } from "../../shared/aws/credentials.ts";
import { systemClock } from "../../shared/base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createPatientLean } from "../../shared/dynamo/patient-lean.ts";
import { type Log, logJson } from "../../shared/log/log.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { firstTenantAtMs } from "../../shared/tenants/made-at.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createIdentities } from "../../shared/usage/retries/idempotency-store.dynamo.ts";
import type { ShardSchedule } from "../../shared/usage/row.ts";
import { createSealStore } from "../../shared/usage/seals/seal-store.dynamo.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";
import type { SealerConfig } from "./config.ts";
import { createSealerRound } from "./round.ts";
import type { Identities } from "./sealer.ts";

export type SealerSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  readonly schedule: ShardSchedule;
  readonly identities: Identities;
  readonly firstTenantAtMs: () => Promise<number | undefined>;
  readonly log: Log;
};

/** A sealer over one client of the store: tests and simulations bring their own. */
export function composeRound(settings: SealerSettings): Round {
  const source = { lean: settings.lean, tablePrefix: settings.tablePrefix };
  return createSealerRound({
    ...settings,
    seals: createSealStore(source),
    sealing: createSealingStore(source),
    totals: createTotalStore(source),
  });
}

/** Builds what the sealer does from its settings: the same for a timer and for Lambda. */
export function compose(config: SealerConfig) {
  const { WEIR_TABLE_PREFIX: tablePrefix, WEIR_SHARDS: schedule } = config;
  const place = { region: config.AWS_REGION, endpoint: config.WEIR_DYNAMO_ENDPOINT, credentials: credentialsOf(config) };
  const lean = createPatientLean(createLeanDynamo(place, systemClock));
  const tenants = createTenantStore({ lean, tablePrefix });
  const identities = createIdentities({ lean, tablePrefix, clock: systemClock });
  return {
    round: composeRound({ lean, tablePrefix, schedule, identities, firstTenantAtMs: () => firstTenantAtMs(tenants), log: logJson }),
    close: () => lean.close(),
  };
}
