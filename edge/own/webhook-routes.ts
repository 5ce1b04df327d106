import { Hono } from "hono";
import { FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import { DeliveryReport } from "../../shared/events/delivery.ts";
import { NewWebhook, WebhookRevision, WebhookWithSecret } from "../../shared/events/webhook.ts";
import type { Right } from "../../shared/people/rights.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathDescription, PathGroup } from "../openapi.ts";
import { createOwnWebhooks, type OwnWebhooks, type WebhookDeps } from "./webhooks.ts";

/** `/v1/webhooks`: where a tenant's events go. */
export function ownWebhookRoutes(deps: WebhookDeps) {
  const webhooks = createOwnWebhooks(deps, (c) => c.get("principal").tenant);
  return new Hono<EdgeEnv>().use(requireScope("keys")).route("/", routesOf(webhooks));
}

/** `/admin/webhooks`: where everybody's events go, for operators. */
export function webhookRoutes(deps: WebhookDeps) {
  return routesOf(createOwnWebhooks(deps, () => OPERATORS));
}

function routesOf(webhooks: OwnWebhooks) {
  return new Hono<EdgeEnv>()
    .get("/", async (c) => c.json(await webhooks.list(c, checked(c.req.query(), PageQuery))))
    .post("/", async (c) => c.json(await webhooks.create(c, await readJson(c, NewWebhook)), 201))
    .get("/:id", async (c) => c.json(await webhooks.show(c)))
    .delete("/:id", async (c) => c.json(await webhooks.remove(c)))
    .post("/:id/rotate", async (c) => c.json(await webhooks.rotate(c)))
    .post("/:id/test", async (c) => c.json(await webhooks.test(c), 202))
    .get("/:id/deliveries", async (c) => c.json(await webhooks.deliveries(c, checked(c.req.query(), PageQuery))))
    .post("/:id/deliveries/:event/replay", async (c) => c.json(await webhooks.replay(c), 202));
}

const SUMMARY = "Where events are sent, signed as Standard Webhooks says: at least once, with the same `webhook-id` for each attempt";

export const ownWebhookPaths: PathGroup = {
  name: "webhooks",
  summary: `${SUMMARY}; those of the key's own tenant`,
  failure: OpenaiFailure,
  paths: [...pathsBelow("/v1/webhooks", "keys"), ...deliveryPathsBelow("/v1/webhooks", "keys")],
};

export const webhookPaths: PathGroup = {
  name: "operators' webhooks",
  summary: `${SUMMARY}; events of all tenants`,
  failure: FailureAnswer,
  paths: [...pathsBelow("/admin/webhooks", "operate"), ...deliveryPathsBelow("/admin/webhooks", "operate")],
};

function pathsBelow(root: string, scope: Exclude<Right, "view">): PathDescription[] {
  const one = `${root}/{id}`;
  const known = { scope, refusals: ["not_found"] } as const;
  return [
    {
      method: "get",
      path: root,
      summary: "Lists webhooks",
      scope,
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(WebhookRevision) },
    },
    {
      method: "post",
      path: root,
      summary: "Makes a webhook; its secret is in this answer and in no other. Only https to public addresses is taken",
      scope,
      body: NewWebhook,
      answer: { status: 201, summary: "The webhook and its secret", schema: WebhookWithSecret },
      refusals: ["conflict"],
    },
    {
      ...known,
      method: "get",
      path: one,
      summary: "Shows a webhook",
      answer: { status: 200, summary: "The webhook", schema: WebhookRevision },
    },
    {
      ...known,
      method: "delete",
      path: one,
      summary: "Ends a webhook: what was on its way to it is not sent any more",
      answer: { status: 200, summary: "The webhook that was", schema: WebhookRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      ...known,
      method: "post",
      path: `${one}/rotate`,
      summary: "Makes a new secret; for 24 hours the old one signs beside it",
      answer: { status: 200, summary: "The webhook and its new secret", schema: WebhookWithSecret },
      refusals: ["not_found", "conflict"],
    },
  ];
}

function deliveryPathsBelow(root: string, scope: Exclude<Right, "view">): PathDescription[] {
  const one = `${root}/{id}`;
  const known = { scope, refusals: ["not_found"] } as const;
  return [
    {
      ...known,
      method: "post",
      path: `${one}/test`,
      summary: "Sends an event `webhook.test` to this webhook",
      answer: { status: 202, summary: "The delivery", schema: DeliveryReport },
    },
    {
      ...known,
      method: "get",
      path: `${one}/deliveries`,
      summary: "Lists what was sent in 30 days, by event, with what became of it",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(DeliveryReport) },
    },
    {
      ...known,
      method: "post",
      path: `${one}/deliveries/{event}/replay`,
      summary: "Sends a delivery again that was delivered or is dead",
      answer: { status: 202, summary: "The delivery", schema: DeliveryReport },
      refusals: ["not_found", "conflict"],
    },
  ];
}
