import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import { createInvoiceStore } from "../../shared/billing/invoices/invoice-store.dynamo.ts";
import { createDynamo } from "../../shared/dynamo/client.ts";
import { createEraser } from "../../shared/dynamo/eraser.ts";
import { createWebhookStore } from "../../shared/events/webhook-store.dynamo.ts";
import type { KeyMint } from "../../shared/keys/key.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { createRevocationStore } from "../../shared/keys/revocation-store.dynamo.ts";
import { logJson } from "../../shared/log/log.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { readPeppers } from "../../shared/secrets/read-peppers.secrets-manager.ts";
import { createDeletionStore } from "../../shared/tenants/deletion-store.dynamo.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createCanaryRound } from "./canary-round.ts";
import type { CaretakerConfig } from "./config.ts";
import { createErasingRound } from "./erase-round.ts";
import { createProbe } from "./probe.ts";

/** Builds what the caretaker does from its settings: the same for a timer and for Lambda. */
export async function compose(config: CaretakerConfig) {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_ENV: env, WEIR_CELL: cell } = config;
  const dynamo = createDynamo({ region, tablePrefix, endpoint: config.WEIR_DYNAMO_ENDPOINT });
  const peppers = await readPeppers(config, dynamo.client.config.credentials);
  const mint: KeyMint = { place: { env, cell }, ids: systemIds, peppers };
  const keys = createKeyStore(dynamo);
  const erase = createErasingRound({
    eraser: createEraser(dynamo),
    tenants: createTenantStore(dynamo),
    keys,
    webhooks: createWebhookStore(dynamo),
    invoices: createInvoiceStore(dynamo),
    deletions: createDeletionStore(dynamo),
  });
  const measure = createCanaryRound({
    ...{ keys, mint, clock: systemClock, log: logJson },
    probe: createProbe(config.WEIR_GATEWAY_URL),
    wait: (ms) => sleep(ms),
    measurements: createRevocationStore(dynamo),
  });
  return { round: inTurn(erase, measure), close: async () => dynamo.client.destroy() };
}

/** The second has its turn when the first has nothing left to do. */
function inTurn(first: Round, second: Round): Round {
  return async (call) => {
    const { hasMore } = await first(call);
    return hasMore ? { hasMore } : second(call);
  };
}
