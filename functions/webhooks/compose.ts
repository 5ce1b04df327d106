import { credentialsOf } from "../../shared/aws/credentials.ts";
import { type Clock, systemClock } from "../../shared/base/clock.ts";
import { openDynamo } from "../../shared/dynamo/client.ts";
import { createDeliverer } from "../../shared/events/deliver.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { createResolve } from "../../shared/events/resolve.ts";
import { createSender } from "../../shared/events/sender.http.ts";
import { createWebhookStore } from "../../shared/events/webhook-store.dynamo.ts";
import { logJson } from "../../shared/log/log.ts";
import { bySoundTime } from "../../shared/schedule/sound-time.ts";
import { readPeppers } from "../../shared/secrets/read-peppers.secrets-manager.ts";
import type { WebhooksConfig } from "./config.ts";

/** Builds what delivers, from its settings: the same for a timer and for Lambda. */
export async function compose(config: WebhooksConfig, clock: Clock = systemClock) {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_WEBHOOK_TARGETS: rule } = config;
  const credentials = credentialsOf(config);
  const settings = { region, tablePrefix, endpoint: config.WEIR_DYNAMO_ENDPOINT, credentials };
  const { dynamo, lean, close } = openDynamo(settings, clock);
  const peppers = await readPeppers(config, credentials);
  const round = createDeliverer({
    store: createEventStore({ lean, tablePrefix }),
    webhooks: createWebhookStore(dynamo),
    send: createSender({ rule, resolve: createResolve(rule) }),
    peppers,
    clock,
    random: Math.random,
    log: logJson,
  });
  return { round: bySoundTime(round, { lean, tablePrefix, log: logJson }), close };
}
