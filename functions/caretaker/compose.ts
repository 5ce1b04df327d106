import { setTimeout as sleep } from "node:timers/promises";
import { credentialsOf } from "../../shared/aws/credentials.ts";
import { type Clock, systemClock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import { createCreditStore } from "../../shared/billing/balances/credit-store.dynamo.ts";
import { createDocumentStore } from "../../shared/billing/invoices/document-store.s3.ts";
import type { DocumentRemover } from "../../shared/billing/invoices/document-store.ts";
import {
  createCreditNoteStore,
  createInvoiceStore,
  createReplacementStore,
  createSellerStore,
} from "../../shared/billing/invoices/invoice-store.dynamo.ts";
import { createInvoicingProgressStore } from "../../shared/billing/invoices/invoicing-progress-store.dynamo.ts";
import { type Dynamo, openDynamo } from "../../shared/dynamo/client.ts";
import { createEraser } from "../../shared/dynamo/eraser.ts";
import { createWebhookStore } from "../../shared/events/webhook-store.dynamo.ts";
import type { KeyMint } from "../../shared/keys/key.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { createRevocationStore } from "../../shared/keys/revocation-store.dynamo.ts";
import { type Log, logJson } from "../../shared/log/log.ts";
import { createPersonStore } from "../../shared/people/person-store.dynamo.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { bySoundTime } from "../../shared/schedule/sound-time.ts";
import { readPeppers } from "../../shared/secrets/read-peppers.secrets-manager.ts";
import { createDeletionStore } from "../../shared/tenants/deletion-store.dynamo.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createBodyTidier } from "../../shared/usage/retries/kept-body-store.s3.ts";
import { createCanaryRound } from "./canary-round.ts";
import type { CaretakerConfig } from "./config.ts";
import type { ErasingDeps } from "./erase-deps.ts";
import { createErasingRound } from "./erase-round.ts";
import { createProbe } from "./probe.ts";
import { createTidyRound } from "./tidy-round.ts";

/** Builds what the caretaker does from its settings: the same for a timer and for Lambda. */
export async function compose(config: CaretakerConfig, clock: Clock = systemClock) {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_ENV: env, WEIR_CELL: cell } = config;
  const credentials = credentialsOf(config);
  const settings = { region, tablePrefix, endpoint: config.WEIR_DYNAMO_ENDPOINT, credentials };
  const { dynamo, lean, close: closeStore } = openDynamo(settings, clock);
  const peppers = await readPeppers(config, credentials);
  const mint: KeyMint = { place: { env, cell }, ids: systemIds, peppers };
  const keys = createKeyStore(dynamo);
  const records = createDocumentStore({ region, bucket: config.WEIR_RECORDS_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  const erase = createErasingRound(composeErasing(dynamo, records, logJson));
  const measure = createCanaryRound({
    ...{ keys, mint, clock, log: logJson },
    probe: createProbe(config.WEIR_GATEWAY_URL),
    wait: (ms) => sleep(ms),
    measurements: createRevocationStore(dynamo),
  });
  const bodies = createBodyTidier({ region, bucket: config.WEIR_RECORDS_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  // The cloud's stores tidy away by themselves what has expired.
  const tidy = config.WEIR_DYNAMO_ENDPOINT === undefined ? [] : [createTidyRound({ eraser: createEraser(dynamo), bodies })];
  const close = async () => {
    await closeStore();
    records.close();
    bodies.close();
  };
  // By a clock that is a year ahead the law would want a year less kept, and the canary would be silent for as long.
  return { round: bySoundTime(inTurn([erase, ...tidy, measure]), { lean, tablePrefix, log: logJson }), close };
}

/** Erasing over a store: tests bring their own. */
export function composeErasing(dynamo: Dynamo, records: DocumentRemover, log: Log): ErasingDeps {
  return {
    records,
    log,
    eraser: createEraser(dynamo),
    tenants: createTenantStore(dynamo),
    keys: createKeyStore(dynamo),
    people: createPersonStore(dynamo),
    webhooks: createWebhookStore(dynamo),
    invoices: createInvoiceStore(dynamo),
    creditNotes: createCreditNoteStore(dynamo),
    replacements: createReplacementStore(dynamo),
    credits: createCreditStore(dynamo),
    sellers: createSellerStore(dynamo),
    progress: createInvoicingProgressStore(dynamo),
    deletions: createDeletionStore(dynamo),
  };
}

/** Each has its turn when those before it have nothing left to do. */
function inTurn(rounds: readonly Round[]): Round {
  return async (call) => {
    for (const round of rounds) {
      const { hasMore } = await round(call);
      if (hasMore) return { hasMore };
    }
    return { hasMore: false };
  };
}
