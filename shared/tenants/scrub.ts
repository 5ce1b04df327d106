import type { Webhook } from "../events/webhook.ts";
import type { Key } from "../keys/key.ts";
import type { Tenant } from "./tenant.ts";

/**
 * What stays of a revision's body when its tenant is deleted: a body of the same form without anything that a person could be known by.
 * Revisions are never changed otherwise. This is the one exception: who, when and why stay as they are, and so does what bills rest on.
 */
export const ERASED = "erased";

export function scrubKey({ cidrs: _, previous: __, ...key }: Key): Key {
  return { ...key, name: ERASED, secretHmac: "" };
}

export function scrubTenant({ billing, ...tenant }: Tenant): Tenant {
  if (billing === undefined) return { ...tenant, name: ERASED };
  const { name: _, address: __, taxId: ___, ...kept } = billing;
  return { ...tenant, name: ERASED, billing: kept };
}

export function scrubWebhook(webhook: Webhook): Webhook {
  return { ...webhook, url: "https://erased.invalid/", description: "" };
}
