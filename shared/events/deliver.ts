import { Webhook as Signer } from "standardwebhooks";
import type { Clock } from "../base/clock.ts";
import { eachItem } from "../base/page.ts";
import type { RevisionLog } from "../dynamo/revision-log.ts";
import type { Peppers } from "../keys/key.ts";
import type { Log } from "../log/log.ts";
import type { Round } from "../schedule/round.ts";
import { OPERATORS } from "../tenants/tenant.ts";
import { CLAIM_MS, type Delivery, type DeliveryStore, KEPT_MS, nextAttemptAtMs, type Pointer } from "./delivery.ts";
import type { WeirEvent } from "./event.ts";
import { secretsInForce, type Webhook, wants, webhookGroupOf } from "./webhook.ts";

/** Of one round. */
const EVENTS_MAX = 100;
/** Pointers are short. So many that the backlog of some who do not answer, of which a round tries little, does not hide what is due to others. */
const DUE_MAX = 5_000;
/** Webhooks that are sent to side by side; to each one message after another, until one fails. */
const WEBHOOKS_AT_ONCE = 16;
const PER_WEBHOOK_MAX = 20;

export type Message = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string };
export type SendResult = {
  readonly isDelivered: boolean;
  /** No further attempt would help. */
  readonly isFinal: boolean;
  /** In words for the webhook's owner. */
  readonly outcome: string;
};
export type SendWebhook = (message: Message) => Promise<SendResult>;

export type DelivererDeps = {
  readonly store: DeliveryStore;
  readonly webhooks: RevisionLog<Webhook>;
  readonly send: SendWebhook;
  readonly peppers: Peppers;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
};

/**
 * One round: makes the deliveries of new events, then attempts what is due. An attempt is claimed before it is sent, so two rounds at once never send the same
 * one at once; who dies between sending and writing that down is followed by another attempt, so a message may come twice, with the same webhook-id.
 */
export function createDeliverer(deps: DelivererDeps): Round {
  return async ({ signal }) => {
    const events = await deps.store.newEvents(EVENTS_MAX);
    for (const event of events) if (!signal.aborted) await fanOut(deps, event);
    const due = await deps.store.due(deps.clock.nowMs(), DUE_MAX);
    const queues = [...Map.groupBy(due, ({ webhook }) => webhook).values()].map((queue) => queue.slice(0, PER_WEBHOOK_MAX));
    let moved = 0;
    const work = async () => {
      for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) moved += await workOff(deps, queue, signal);
    };
    await Promise.all(Array.from({ length: WEBHOOKS_AT_ONCE }, work));
    return { hasMore: events.length === EVENTS_MAX || (due.length === DUE_MAX && moved > 0) };
  };
}

async function fanOut({ store, webhooks }: DelivererDeps, event: WeirEvent) {
  const wanting: string[] = [];
  for (const owner of new Set([event.tenant, OPERATORS])) {
    for await (const { body } of eachItem((page) => webhooks.list(webhookGroupOf(owner), page))) {
      if (wants(body, event.type)) wanting.push(body.id);
    }
  }
  await store.fanOut(event, wanting);
}

/** One message after another; after one that failed the rest waits for the next round. Answers how many pointers led somewhere. */
async function workOff(deps: DelivererDeps, queue: readonly Pointer[], signal: AbortSignal): Promise<number> {
  let moved = 0;
  for (const pointer of queue) {
    if (signal.aborted) return moved;
    try {
      const step = await follow(deps, pointer);
      if (step !== "another's") moved += 1;
      if (step === "failed") return moved;
    } catch (error) {
      deps.log("warn", "a delivery could not be worked on", { error, webhook: pointer.webhook, event: pointer.event });
      return moved;
    }
  }
  return moved;
}

async function follow(deps: DelivererDeps, pointer: Pointer): Promise<"done" | "failed" | "another's"> {
  const { store, clock } = deps;
  const nowMs = clock.nowMs();
  const delivery = await store.find(pointer.webhook, pointer.event);
  // It is due at another time by now, and has a pointer to that.
  if (delivery === undefined || delivery.dueAtMs > nowMs) {
    await store.dropPointer(pointer);
    return "done";
  }
  if (delivery.state !== "pending") {
    await store.forget(delivery);
    await store.dropPointer(pointer);
    return "done";
  }
  const claimed: Delivery = { ...delivery, attempts: delivery.attempts + 1, dueAtMs: nowMs + CLAIM_MS, outcome: "under way" };
  if (!(await store.move(delivery, claimed))) return "another's";
  await store.dropPointer(pointer); // before now, so not the claim's
  const result = await attempt(deps, claimed);
  const after = afterAttempt(claimed, result, { nowMs: clock.nowMs(), random: deps.random() });
  await store.move(claimed, after);
  // By chance the next attempt may be due when the claim would have been over: then it is one pointer.
  if (after.dueAtMs !== claimed.dueAtMs) await store.dropPointer({ ...pointer, dueAtMs: claimed.dueAtMs });
  return result.isDelivered ? "done" : "failed";
}

function afterAttempt(claimed: Delivery, result: SendResult, at: { nowMs: number; random: number }): Delivery {
  const { isDelivered, isFinal, outcome } = result;
  const nextAtMs = isDelivered || isFinal ? undefined : nextAttemptAtMs(claimed.attempts, at.nowMs, at.random);
  if (nextAtMs !== undefined) return { ...claimed, outcome, dueAtMs: nextAtMs };
  return { ...claimed, outcome, state: isDelivered ? "delivered" : "dead", dueAtMs: at.nowMs + KEPT_MS };
}

async function attempt({ webhooks, peppers, clock, send }: DelivererDeps, { webhook: id, event }: Delivery): Promise<SendResult> {
  const webhook = (await webhooks.current(id))?.body;
  if (webhook === undefined || webhook.isDeleted) return { isDelivered: false, isFinal: true, outcome: "the webhook was deleted" };
  const nowMs = clock.nowMs();
  const secrets = secretsInForce(peppers, webhook, nowMs);
  if (secrets.length === 0) return { isDelivered: false, isFinal: true, outcome: "the secret's pepper is gone: rotate the secret" };
  return send(signed({ url: webhook.url, event, secrets, nowMs }));
}

/** As Standard Webhooks writes it: the same id for every attempt, and a signature for each secret that is in force. */
export function signed({
  url,
  event,
  secrets,
  nowMs,
}: {
  url: string;
  event: WeirEvent;
  secrets: readonly string[];
  nowMs: number;
}): Message {
  const { id, type, at, tenant, data } = event;
  const body = JSON.stringify({ type, timestamp: at, data: { tenant, ...data } });
  const signatures = secrets.map((secret) => new Signer(secret).sign(id, new Date(nowMs), body));
  return {
    url,
    body,
    headers: {
      "content-type": "application/json",
      "user-agent": "weir-webhooks",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(nowMs / 1_000)),
      "webhook-signature": signatures.join(" "),
    },
  };
}
