import { Failure } from "../../shared/base/failure.ts";
import { eachItem, type Page, type PageQuery } from "../../shared/base/page.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { type Delivery, type DeliveryReport, reportDelivery } from "../../shared/events/delivery.ts";
import { EVENT_ID_PATTERN } from "../../shared/events/event.ts";
import { assertTargetUrl, checkedAddresses, hostOf } from "../../shared/events/target.ts";
import {
  type ReadWebhook,
  SECRET_OVERLAP_MS,
  secretText,
  WEBHOOKS_EVER_MAX,
  WEBHOOKS_PER_OWNER_MAX,
  type Webhook,
  type WebhookRevision,
  type WebhookWithSecret,
  webhookGroupOf,
} from "../../shared/events/webhook.ts";
import { newestPepper, peppersOf } from "../../shared/keys/key.ts";
import { webhookPolicyOf } from "../../shared/limits/policy.ts";
import { changeOf, stamped } from "../admin/change.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext } from "../env.ts";
import { limitFailure } from "../rate-limit-headers.ts";

export type WebhookDeps = Pick<Deps, "clock" | "ids" | "config" | "events" | "limiter" | "resolveHost"> & {
  readonly control: Pick<Deps["control"], "webhooks">;
};

/** The webhooks of one owner: another's are not found. */
export type OwnWebhooks = ReturnType<typeof createOwnWebhooks>;

export function createOwnWebhooks(deps: WebhookDeps, ownerOf: (c: EdgeContext) => string) {
  const find = (c: EdgeContext) => findOwn(deps, ownerOf(c), c.req.param("id") ?? "");
  return {
    list: (c: EdgeContext, page: PageQuery) => list(deps, ownerOf(c), page),
    show: async (c: EdgeContext) => shown(await find(c)),
    create: (c: EdgeContext, asked: ReadWebhook) => create(deps, c, { ...asked, owner: ownerOf(c) }),
    rotate: async (c: EdgeContext) => rotate(deps, c, await find(c)),
    remove: async (c: EdgeContext) => remove(deps, c, await find(c)),
    test: async (c: EdgeContext) => test(deps, await find(c)),
    deliveries: async (c: EdgeContext, page: PageQuery) => deliveries(deps, await find(c), page),
    replay: async (c: EdgeContext) => replay(deps, await find(c), c.req.param("event") ?? ""),
  };
}

async function findOwn({ control }: WebhookDeps, owner: string, id: string): Promise<Revision<Webhook>> {
  const webhook = /^[0-9A-Za-z]{16}$/.test(id) ? await control.webhooks.current(id) : undefined;
  if (webhook === undefined || webhook.body.owner !== owner || webhook.body.isDeleted) {
    throw new Failure("not_found", `There is no webhook '${id.slice(0, 100)}'.`, { field: "id" });
  }
  return webhook;
}

async function list({ control }: WebhookDeps, owner: string, page: PageQuery): Promise<Page<WebhookRevision>> {
  const { items, ...rest } = await control.webhooks.list(webhookGroupOf(owner), page);
  return { ...rest, items: items.filter(({ body }) => !body.isDeleted).map(shown) };
}

type Asked = ReadWebhook & { readonly owner: string };

async function create(deps: WebhookDeps, c: EdgeContext, { why, ...asked }: Asked): Promise<WebhookWithSecret> {
  const { WEIR_WEBHOOK_TARGETS: rule, WEIR_PEPPERS } = deps.config;
  const url = assertTargetUrl(asked.url, rule);
  await takeTurn(deps, asked.owner);
  await checkedAddresses(hostOf(url), rule, deps.resolveHost);
  await assertRoom(deps, asked.owner);
  const id = deps.ids.base62(16);
  const secret = { number: 1, pepperVersion: newestPepper(peppersOf(WEIR_PEPPERS)).version };
  const body: Webhook = { ...asked, id, url: url.href, isDeleted: false, secret };
  return withSecret(deps, c, await deps.control.webhooks.append(id, 0, { body, change: changeOf(c, deps.clock, why) }));
}

/** What looks names up, and what is sent by hand, has a rate of its own. */
async function takeTurn({ limiter }: WebhookDeps, owner: string) {
  const verdict = await limiter.take([webhookPolicyOf(owner)], 1);
  if (!verdict.isAdmitted) throw limitFailure(verdict);
}

/** The index lags a write by moments, so a few too many may come through at once: it bounds work, not money. */
async function assertRoom({ control }: WebhookDeps, owner: string) {
  const group = webhookGroupOf(owner);
  const ever = await control.webhooks.count(group);
  if (ever >= WEBHOOKS_EVER_MAX)
    throw new Failure(
      "conflict",
      `There have been ${ever} webhooks, deleted ones too, which is the most: keep one of those that are there.`,
    );
  let live = 0;
  for await (const { body } of eachItem((page) => control.webhooks.list(group, page))) if (!body.isDeleted) live += 1;
  if (live >= WEBHOOKS_PER_OWNER_MAX)
    throw new Failure("conflict", `There are ${WEBHOOKS_PER_OWNER_MAX} webhooks already: delete one first.`);
}

/** From now on both secrets sign, until the old one's time is over; a second rotation ends the older one at once. */
async function rotate(deps: WebhookDeps, c: EdgeContext, { body, revision }: Revision<Webhook>): Promise<WebhookWithSecret> {
  const { secret } = body;
  const pepperVersion = newestPepper(peppersOf(deps.config.WEIR_PEPPERS)).version;
  const rotated: Webhook = {
    ...body,
    secret: { number: secret.number + 1, pepperVersion },
    before: { ...secret, untilMs: deps.clock.nowMs() + SECRET_OVERLAP_MS },
  };
  return withSecret(
    deps,
    c,
    await deps.control.webhooks.append(body.id, revision, { body: rotated, change: changeOf(c, deps.clock, undefined) }),
  );
}

async function remove(deps: WebhookDeps, c: EdgeContext, { body, revision }: Revision<Webhook>): Promise<WebhookRevision> {
  const change = changeOf(c, deps.clock, undefined);
  return shown(await deps.control.webhooks.append(body.id, revision, { body: { ...body, isDeleted: true }, change }));
}

/** Hands in an event for this webhook alone. What becomes of it is among its deliveries. */
async function test(deps: WebhookDeps, { body }: Revision<Webhook>): Promise<DeliveryReport> {
  const { events, clock, ids } = deps;
  await takeTurn(deps, body.owner);
  const event = {
    id: `test-${body.id}-${ids.base62(12)}`,
    type: "webhook.test" as const,
    tenant: body.owner,
    at: new Date(clock.nowMs()).toISOString(),
    data: { webhook: body.id },
  };
  await events.deliver(event, body.id);
  return reportDelivery({ webhook: body.id, event, state: "pending", attempts: 0, dueAtMs: clock.nowMs(), outcome: "" });
}

async function deliveries({ events }: WebhookDeps, { body }: Revision<Webhook>, page: PageQuery): Promise<Page<DeliveryReport>> {
  const { items, ...rest } = await events.list(body.id, page);
  return { ...rest, items: items.map(reportDelivery) };
}

/** Sends a delivery again that has ended, with the same `webhook-id`; one that is under way is left alone. */
async function replay(deps: WebhookDeps, { body }: Revision<Webhook>, event: string): Promise<DeliveryReport> {
  const { events, clock } = deps;
  const before = EVENT_ID_PATTERN.test(event) ? await events.find(body.id, event) : undefined;
  if (before === undefined)
    throw new Failure("not_found", `There is no delivery of an event '${event.slice(0, 100)}' here.`, { field: "event" });
  if (before.state === "pending") return reportDelivery(before);
  await takeTurn(deps, body.owner);
  const again: Delivery = { ...before, state: "pending", attempts: 0, dueAtMs: clock.nowMs() };
  if (await events.move(before, again)) return reportDelivery(again);
  throw new Failure("conflict", "Somebody else has just sent this delivery again.", { field: "event" });
}

function shown(webhook: Revision<Webhook>): WebhookRevision {
  const { secret, before, ...body } = webhook.body;
  const oldSecretUntil = before === undefined ? null : new Date(before.untilMs).toISOString();
  return stamped({ ...body, secretNumber: secret.number, oldSecretUntil }, webhook);
}

function withSecret({ config }: WebhookDeps, c: EdgeContext, webhook: Revision<Webhook>): WebhookWithSecret {
  const secret = secretText(peppersOf(config.WEIR_PEPPERS), webhook.body.id, webhook.body.secret);
  if (secret === undefined) throw new Error("the pepper that a secret was just made with is gone");
  c.header("Cache-Control", "no-store");
  return { ...shown(webhook), secret };
}
