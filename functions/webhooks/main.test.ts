import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Webhook as Verifier } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../shared/base/clock.ts";
import { createLeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { secretText, type Webhook } from "../../shared/events/webhook.ts";
import { createWebhookStore } from "../../shared/events/webhook-store.dynamo.ts";
import { peppersOf } from "../../shared/keys/key.ts";
import { stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { startReceiver } from "../../test/harness/webhook-receiver.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

const PEPPERS = { "1": "a pepper of tests only" };

let store: TestDynamo;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
beforeAll(async () => {
  [store, receiver] = await Promise.all([startDynamo(), startReceiver()]);
});
afterAll(async () => {
  await receiver.close();
  await store.close();
});

const startPart = (targets: string) =>
  fork(join(import.meta.dirname, "main.node.ts"), {
    env: {
      ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_REGION: "eu-central-1", WEIR_DYNAMO_ENDPOINT: store.endpoint },
      ...{ WEIR_PEPPERS: JSON.stringify(PEPPERS), WEIR_WEBHOOK_TARGETS: targets, WEIR_EVERY_SECONDS: "1" },
    },
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });

test.each(["any", "public"])("the part delivers a signed event, unless its target may not be reached (targets: %s)", async (targets) => {
  const lean = createLeanDynamo(store.dynamo.settings, systemClock);
  const events = createEventStore({ lean, tablePrefix: "weir" });
  const webhook: Webhook = {
    ...{ id: targets, owner: "acme", url: `http://127.0.0.1:${receiver.port}/in`, eventTypes: [], description: "", isDeleted: false },
    secret: { number: 1, pepperVersion: 1 },
  };
  await createWebhookStore(store.dynamo).append(targets, 0, { body: webhook, change: { by: "test", why: "", atMs: 0 } });
  const part = startPart(targets);
  await once(part, "message");

  await events.deliver({ id: "e1", type: "webhook.test", tenant: "acme", at: new Date().toISOString(), data: {} }, targets);
  await expect
    .poll(async () => (await events.find(targets, "e1"))?.outcome, { timeout: 15_000 })
    .toMatch(/answered 200|must begin with https/);
  part.kill("SIGTERM");

  expect(await once(part, "exit")).toEqual([0, null]);
  expect(receiver.received).toHaveLength(1); // from the first of both
  const secret = secretText(peppersOf(PEPPERS), "any", webhook.secret) ?? "";
  expect(new Verifier(secret).verify(receiver.received[0]?.body ?? "", receiver.received[0]?.headers ?? {})).toMatchObject({
    type: "webhook.test",
  });
  await lean.close();
});

test("by a clock that is a month ahead nothing is sent, counted as an attempt or forgotten", async () => {
  const lean = createLeanDynamo(store.dynamo.settings, systemClock);
  const events = createEventStore({ lean, tablePrefix: "weir" });
  const sentBefore = receiver.received.length;
  await events.deliver({ id: "e2", type: "webhook.test", tenant: "acme", at: new Date().toISOString(), data: {} }, "any");
  const before = await events.find("any", "e2");
  const clock = stopClock();
  clock.advance(31 * 86_400_000);
  const config = readConfig({ WEIR_DYNAMO_ENDPOINT: store.endpoint, WEIR_PEPPERS: JSON.stringify(PEPPERS), WEIR_WEBHOOK_TARGETS: "any" });
  const { round, close } = await compose(config, clock);

  await expect(round({ nowMs: clock.nowMs(), signal: new AbortController().signal })).rejects.toThrow(
    /267839\d|26784\d\d s off the store's/,
  );

  expect(await events.find("any", "e2")).toEqual(before);
  expect(receiver.received).toHaveLength(sentBefore);
  await Promise.all([close(), lean.close()]);
});
