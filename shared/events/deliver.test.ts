import fc from "fast-check";
import { Webhook as Verifier } from "standardwebhooks";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createLeanDynamo, type LeanDynamo } from "../dynamo/lean-client.ts";
import type { RevisionLog } from "../dynamo/revision-log.ts";
import { peppersOf } from "../keys/key.ts";
import { createDeliverer, type Message, type SendResult } from "./deliver.ts";
import { ATTEMPTS_MAX, CLAIM_MS, type DeliveryStore, JITTER, KEPT_MS, nextAttemptAtMs, RETRY_WAITS_MS } from "./delivery.ts";
import type { WeirEvent } from "./event.ts";
import { createEventStore } from "./event-store.dynamo.ts";
import { secretText, type Webhook } from "./webhook.ts";
import { createWebhookStore } from "./webhook-store.dynamo.ts";

const PEPPERS = peppersOf({ "1": "a pepper of tests only" });

let dynamo: TestDynamo;
let lean: LeanDynamo;
let clock: StoppedClock;
let store: DeliveryStore;
let webhooks: RevisionLog<Webhook>;
let sent: Message[];
let answer: (message: Message) => SendResult | Promise<SendResult>;
beforeEach(async () => {
  dynamo = await startDynamo();
  clock = stopClock();
  lean = createLeanDynamo(dynamo.dynamo.settings, clock);
  store = createEventStore({ lean, tablePrefix: "weir" });
  webhooks = createWebhookStore(dynamo.dynamo);
  sent = [];
  answer = () => ({ isDelivered: true, isFinal: false, outcome: "answered 200" });
});
afterEach(async () => {
  await lean.close();
  await dynamo.close();
});

const change = () => ({ by: "test", why: "", atMs: clock.nowMs() });
const webhookOf = (id: string, owner: string, rest: Partial<Webhook> = {}): Webhook => ({
  ...{ id, owner, url: `https://${id}.example.com/in`, eventTypes: [], description: "", isDeleted: false },
  secret: { number: 1, pepperVersion: 1 },
  ...rest,
});
const addWebhook = (webhook: Webhook) => webhooks.append(webhook.id, 0, { body: webhook, change: change() });
const eventOf = (id: string, tenant = "acme"): WeirEvent => ({
  ...{ id, tenant, type: "budget.threshold_reached", at: new Date(clock.nowMs()).toISOString() },
  data: { percent: 80 },
});
const failing =
  (isFinal = false) =>
  () => ({ isDelivered: false, isFinal, outcome: "answered 500" });

function round() {
  const send = async (message: Message) => {
    sent.push(message);
    return answer(message);
  };
  const deliverer = createDeliverer({ store, webhooks, send, clock, peppers: PEPPERS, random: () => 0.5, log: () => {} });
  return deliverer({ nowMs: clock.nowMs(), signal: new AbortController().signal });
}

test("an event goes to its tenant's and the operators' webhooks that want it, signed as Standard Webhooks says", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await addWebhook(webhookOf("w2", "acme", { eventTypes: ["invoice.issued"] }));
  await addWebhook(webhookOf("w3", "globex"));
  await addWebhook(webhookOf("w4", "operators"));
  await addWebhook(webhookOf("w5", "acme", { isDeleted: true }));
  await store.emit(eventOf("budget-acme-80"));

  await round();

  expect(sent.map(({ url }) => url).sort()).toEqual(["https://w1.example.com/in", "https://w4.example.com/in"]);
  const [message] = sent.filter(({ url }) => url.includes("w1"));
  const verified = new Verifier(secretText(PEPPERS, "w1", { number: 1, pepperVersion: 1 }) ?? "").verify(message?.body ?? "", {
    ...message?.headers,
  });
  expect(verified).toMatchObject({ type: "budget.threshold_reached", data: { tenant: "acme", percent: 80 } });
  expect(message?.headers["webhook-id"]).toBe("budget-acme-80");
  expect(await store.find("w1", "budget-acme-80")).toMatchObject({ state: "delivered", attempts: 1 });
});

test("who has hundreds due and does not answer keeps nobody else waiting", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await addWebhook(webhookOf("w2", "globex"));
  await Promise.all(Array.from({ length: 600 }, (_, place) => store.deliver(eventOf(`e${place}`), "w1")));
  clock.advance(1_000);
  await store.emit(eventOf("e", "globex"));
  answer = failing();

  await round();

  expect(sent.map(({ url }) => url).sort()).toEqual(["https://w1.example.com/in", "https://w2.example.com/in"]);
});

test("an event that is told again is told once, also after it was delivered", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  for (let time = 0; time < 3; time += 1) {
    await Promise.all([store.emit(eventOf("e")), store.emit(eventOf("e"))]);
    await round();
  }

  expect(sent).toHaveLength(1);
});

test("an event whose deliveries were half made when a process died gets the others", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await addWebhook(webhookOf("w2", "acme"));
  await store.emit(eventOf("e"));
  await store.deliver(eventOf("e"), "w1");

  await round();
  await round();

  expect(sent).toHaveLength(2);
});

test("an event that was handed in again after its deliveries were made goes to no newer webhook", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  const event = eventOf("e");
  await store.emit(event);
  await round();
  await addWebhook(webhookOf("w2", "acme"));

  await store.fanOut(event, ["w1", "w2"]);
  await round();

  expect(sent).toHaveLength(1);
});

test("failed attempts come back with growing waits, then the delivery is dead, is listed and can be sent again", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await store.emit(eventOf("e"));
  answer = failing();
  const waits: number[] = [];
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    await round();
    await round(); // nothing is due yet
    const delivery = await store.find("w1", "e");
    waits.push((delivery?.dueAtMs ?? 0) - clock.nowMs());
    clock.advance(waits.at(-1) ?? 0);
  }

  expect(sent).toHaveLength(ATTEMPTS_MAX);
  expect(new Set(sent.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set(["e"]));
  expect(waits).toEqual([...RETRY_WAITS_MS, KEPT_MS]);
  expect((await store.list("w1", { limit: 10 })).items).toMatchObject([{ state: "dead", attempts: ATTEMPTS_MAX, outcome: "answered 500" }]);
  const dead = await store.find("w1", "e");
  if (dead === undefined) throw new Error("the dead letter is gone");
  answer = () => ({ isDelivered: true, isFinal: false, outcome: "answered 200" });
  expect(await store.move(dead, { ...dead, state: "pending", attempts: 0, dueAtMs: clock.nowMs() })).toBe(true);
  await round();
  expect((await store.find("w1", "e"))?.state).toBe("delivered");
});

test("two rounds at once send each attempt once", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await addWebhook(webhookOf("w2", "acme"));
  for (const id of ["a", "b", "c"]) await store.emit(eventOf(id));

  await Promise.all([round(), round(), round()]);
  await round();

  expect(sent).toHaveLength(6);
});

test("who dies in an attempt is followed by another once its claim is over, not before", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await store.emit(eventOf("e"));
  answer = () => Promise.reject(new Error("killed here"));
  await round();

  clock.advance(CLAIM_MS - 1);
  await round();
  expect(sent).toHaveLength(1);
  clock.advance(1);
  answer = () => ({ isDelivered: true, isFinal: false, outcome: "answered 200" });
  await round();

  expect(sent).toHaveLength(2);
  expect(await store.find("w1", "e")).toMatchObject({ state: "delivered", attempts: 2 });
});

test("what nobody will ever take is dead at once: a 410, a deleted webhook, a pepper that is gone", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await addWebhook(webhookOf("w2", "acme", { secret: { number: 1, pepperVersion: 9 } }));
  await addWebhook(webhookOf("w3", "acme", { isDeleted: true }));
  await store.emit(eventOf("e"));
  await store.deliver(eventOf("e"), "w3");
  answer = failing(true);

  await round();

  const outcomes = await Promise.all(["w1", "w2", "w3"].map((id) => store.find(id, "e")));
  expect(outcomes.map((each) => `${each?.state}: ${each?.outcome}`)).toEqual([
    "dead: answered 500",
    "dead: the secret's pepper is gone: rotate the secret",
    "dead: the webhook was deleted",
  ]);
});

test("one webhook that fails holds up none of the others, and its next messages wait for the next round", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await addWebhook(webhookOf("w2", "acme"));
  for (const id of ["a", "b", "c"]) await store.emit(eventOf(id));
  answer = ({ url }) => ({ isDelivered: !url.includes("w1"), isFinal: false, outcome: "" });

  await round();

  expect(sent.filter(({ url }) => url.includes("w1"))).toHaveLength(1);
  expect(sent.filter(({ url }) => url.includes("w2"))).toHaveLength(3);
});

test("after a rotation both secrets sign until the old one's time is over", async () => {
  const secret = { number: 2, pepperVersion: 1 };
  await addWebhook(webhookOf("w1", "acme", { secret, before: { number: 1, pepperVersion: 1, untilMs: clock.nowMs() + 1_000 } }));
  await store.emit(eventOf("a"));
  await round();
  clock.advance(1_000);
  await store.emit(eventOf("b"));
  await round();

  const verifies = (number: number, message: Message | undefined) => {
    const verifier = new Verifier(secretText(PEPPERS, "w1", { number, pepperVersion: 1 }) ?? "");
    try {
      return verifier.verify(message?.body ?? "", { ...message?.headers }) !== undefined;
    } catch {
      return false;
    }
  };
  expect([verifies(1, sent[0]), verifies(2, sent[0]), verifies(1, sent[1]), verifies(2, sent[1])]).toEqual([true, true, false, true]);
});

test("what was delivered is forgotten after its time", async () => {
  await addWebhook(webhookOf("w1", "acme"));
  await store.emit(eventOf("e"));
  await round();
  clock.advance(KEPT_MS);

  await round();

  expect(await store.find("w1", "e")).toBeUndefined();
  expect(await store.due(Number.MAX_SAFE_INTEGER - 1, 10)).toEqual([]);
});

test("a wait is never further from its length than the jitter", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: ATTEMPTS_MAX - 1 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, random) => {
        const waitMs = RETRY_WAITS_MS[attempts - 1] ?? 0;
        const atMs = nextAttemptAtMs(attempts, 0, random) ?? 0;

        expect(Math.abs(atMs - waitMs)).toBeLessThanOrEqual(waitMs * JITTER + 1);
      },
    ),
  );
  expect(nextAttemptAtMs(ATTEMPTS_MAX, 0, 0)).toBeUndefined();
});
