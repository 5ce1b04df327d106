import { createHmac } from "node:crypto";
import * as z from "zod";
import { RevisionStamp, Why } from "../base/revision.ts";
import type { Peppers } from "../keys/key.ts";
import { EventType } from "./event.ts";

export const WEBHOOKS_PER_OWNER_MAX = 20;
/** Deleted ones too: they stay in the log, and whoever hands out an event reads all of them. */
export const WEBHOOKS_EVER_MAX = 1_000;
export const WEBHOOK_URL_CHARACTERS_MAX = 2_000;
/** After a rotation deliveries carry signatures of both secrets for this long. */
export const SECRET_OVERLAP_MS = 24 * 3_600_000;

/** Which of a webhook's secrets, made with which pepper: the secret itself is stored nowhere. */
const SecretNumber = z.object({ number: z.int().positive(), pepperVersion: z.int().positive() });
export type SecretNumber = Readonly<z.infer<typeof SecretNumber>>;

const Url = z.url({ protocol: /^https?$/ }).max(WEBHOOK_URL_CHARACTERS_MAX);
const EventTypes = z
  .array(EventType)
  .max(EventType.options.length)
  .refine((types) => new Set(types).size === types.length, "each type may appear once")
  .meta({ description: "Empty for all types" });

/** Where a tenant's events are sent, or, for a webhook of the operators, everybody's. A deleted one stays in the log. */
export const Webhook = z.object({
  id: z.string(),
  owner: z.string(),
  url: Url,
  eventTypes: EventTypes,
  description: z.string().max(200),
  isDeleted: z.boolean(),
  secret: SecretNumber,
  /** The secret before a rotation. */
  before: SecretNumber.extend({ untilMs: z.int() }).optional(),
});
export type Webhook = Readonly<z.infer<typeof Webhook>>;

export const NewWebhook = z
  .strictObject({ url: Url, eventTypes: EventTypes.default([]), description: Webhook.shape.description.default(""), why: Why.optional() })
  .meta({ id: "NewWebhook" });
export type NewWebhook = z.input<typeof NewWebhook>;
export type ReadWebhook = z.output<typeof NewWebhook>;

/** A webhook as its owner sees it. */
export const WebhookRevision = Webhook.omit({ secret: true, before: true })
  .extend({
    secretNumber: z.int().meta({ description: "Raised by every rotation" }),
    oldSecretUntil: z.iso.datetime().nullable().meta({ description: "Until then deliveries carry signatures of the secret before, too" }),
    revision: RevisionStamp,
  })
  .meta({ id: "Webhook" });
export type WebhookRevision = z.infer<typeof WebhookRevision>;

/** The only answers that hold a secret. */
export const WebhookWithSecret = WebhookRevision.extend({ secret: z.string() }).meta({ id: "WebhookWithSecret" });
export type WebhookWithSecret = z.infer<typeof WebhookWithSecret>;

/** The group that lists an owner's webhooks. */
export const webhookGroupOf = (owner: string) => `webhooks#${owner}`;

/**
 * A secret in the form of Standard Webhooks, `whsec_<base64>`. It is derived from a pepper, so that no table holds what signs:
 * whoever reads the store can forge nothing, and nothing has to be decrypted to deliver. Undefined once its pepper is gone.
 */
export function secretText(peppers: Peppers, id: string, { number, pepperVersion }: SecretNumber): string | undefined {
  const pepper = peppers.get(pepperVersion);
  if (pepper === undefined) return undefined;
  return `whsec_${createHmac("sha256", pepper).update(`webhook#${id}#${number}`).digest("base64")}`;
}

/** What signs a delivery now, the newest first. */
export function secretsInForce(peppers: Peppers, webhook: Webhook, nowMs: number): string[] {
  const { id, secret, before } = webhook;
  const numbers = before !== undefined && before.untilMs > nowMs ? [secret, before] : [secret];
  return numbers.map((each) => secretText(peppers, id, each)).filter((text) => text !== undefined);
}

export function wants({ eventTypes, isDeleted }: Webhook, type: EventType): boolean {
  return !isDeleted && (eventTypes.length === 0 || eventTypes.includes(type));
}
