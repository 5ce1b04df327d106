import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startReceiver } from "../../test/harness/webhook-receiver.ts";
import { createSender } from "./sender.http.ts";

let receiver: Awaited<ReturnType<typeof startReceiver>>;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());
beforeEach(() => {
  receiver.received.length = 0;
  Object.assign(receiver.reply, { status: 200, location: "", body: "ok", isSilent: false });
});

const resolve = async () => ["127.0.0.1"];
const anywhere = createSender({ rule: "any", resolve, timeoutMs: 2_000 });
const message = (url: string) => ({ url, headers: { "webhook-id": "e1" }, body: "{}" });
const toReceiver = (host = "hooks.example.com") => message(`http://${host}:${receiver.port}/in?x=1`);

test("a message goes to the very address that the name was checked to lead to", async () => {
  expect(await anywhere(toReceiver())).toEqual({ isDelivered: true, isFinal: false, outcome: "answered 200" });
  expect(receiver.received).toMatchObject([{ headers: { host: `hooks.example.com:${receiver.port}`, "webhook-id": "e1" }, body: "{}" }]);
});

test.each([
  [301, false],
  [302, false],
  [404, false],
  [410, true],
  [500, false],
])("%i is not delivered, and a redirect is not followed", async (status, isFinal) => {
  Object.assign(receiver.reply, { status, location: `http://127.0.0.1:${receiver.port}/elsewhere` });

  expect(await anywhere(toReceiver())).toEqual({ isDelivered: false, isFinal, outcome: `answered ${status}` });
  expect(receiver.received).toHaveLength(1);
});

test.each([
  ["a name that leads to loopback", "https://hooks.example.com/in", ["127.0.0.1"]],
  ["a name that leads there among others", "https://hooks.example.com/in", ["93.184.216.34", "10.0.0.1"]],
  ["a mapped address", "https://hooks.example.com/in", ["::ffff:127.0.0.1"]],
  ["a literal address", "https://[::1]/in", []],
  ["http", "http://example.com/in", ["93.184.216.34"]],
])("%s is refused at delivery, before anything is connected", async (_, url, addresses) => {
  const send = createSender({ rule: "public", resolve: async () => addresses, timeoutMs: 2_000 });

  const result = await send(message(url));

  expect(result.isDelivered).toBe(false);
  expect(result.outcome).toMatch(/^url: must/);
  expect(receiver.received).toEqual([]);
});

test("a name is looked up once, so that a second answer has no effect", async () => {
  let looks = 0;
  const rebinding = async () => {
    looks += 1;
    return looks === 1 ? ["127.0.0.1"] : ["192.0.2.1"];
  };

  expect(await createSender({ rule: "any", resolve: rebinding, timeoutMs: 2_000 })(toReceiver())).toMatchObject({ isDelivered: true });
  expect(looks).toBe(1);
});

test("who does not answer in time, or does not listen, is a failed attempt in words", async () => {
  receiver.reply.isSilent = true;
  const hasty = createSender({ rule: "any", resolve, timeoutMs: 50 });

  expect((await hasty(toReceiver())).outcome).toBe("did not answer in time");
  expect((await anywhere(message("http://127.0.0.1:1/in"))).outcome).toBe("failed: ECONNREFUSED");
  expect((await createSender({ rule: "any", resolve: () => new Promise(() => {}), timeoutMs: 50 })(toReceiver())).outcome).toBe(
    "did not answer in time",
  );
});

test("an endless answer is not read to its end", async () => {
  receiver.reply.body = "x".repeat(4 * 1024 * 1024);

  expect(await anywhere(toReceiver())).toMatchObject({ outcome: "answered 200" });
});
