import { createInvoiceStore } from "../../shared/billing/invoice-store.dynamo.ts";
import { createDynamo } from "../../shared/dynamo/client.ts";
import { createEraser } from "../../shared/dynamo/eraser.ts";
import { createWebhookStore } from "../../shared/events/webhook-store.dynamo.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { createDeletionStore } from "../../shared/tenants/deletion-store.dynamo.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import type { CaretakerConfig } from "./config.ts";
import { createErasingRound } from "./erase-round.ts";

/** Builds what the caretaker does from its settings: the same for a timer and for Lambda. */
export function compose(config: CaretakerConfig) {
  const dynamo = createDynamo({ region: config.AWS_REGION, tablePrefix: config.WEIR_TABLE_PREFIX, endpoint: config.WEIR_DYNAMO_ENDPOINT });
  const round = createErasingRound({
    eraser: createEraser(dynamo),
    tenants: createTenantStore(dynamo),
    keys: createKeyStore(dynamo),
    webhooks: createWebhookStore(dynamo),
    invoices: createInvoiceStore(dynamo),
    deletions: createDeletionStore(dynamo),
  });
  return { round, close: async () => dynamo.client.destroy() };
}
