import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { Webhook, webhookGroupOf } from "./webhook.ts";

export function createWebhookStore(dynamo: Dynamo): RevisionLog<Webhook> {
  return createRevisionLog(dynamo, { name: "webhook", schema: Webhook, groupOf: (webhook) => webhookGroupOf(webhook.owner) });
}
