import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { WEBHOOKS_EVER_MAX, WebhookWithSecret } from "../../shared/events/webhook.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
let keys: Record<"acme" | "globex" | "operators" | "reader", string>;
beforeAll(async () => {
  weir = await startServing();
  await weir.makeTenant("operators", { requestsPerSecond: 1_000, burst: 1_000 });
  keys = {
    acme: await weir.makeKey("acme", "keys"),
    globex: await weir.makeKey("globex", "keys"),
    operators: await weir.makeKey("operators", "operate"),
    reader: await weir.makeKey("acme", "usage"),
  };
});
afterAll(() => weir.close());

type Who = keyof typeof keys;

async function ask(method: string, path: string, { as = "acme", body }: { as?: Who; body?: unknown } = {}) {
  const headers = { authorization: `Bearer ${keys[as]}`, "content-type": "application/json" };
  const answer = await fetch(weir.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Record<string, unknown> };
}

// A literal address, so that nothing has to be looked up.
const URL_OF = "https://93.184.216.34/hook";
const create = async (as: Who = "acme", path = "/v1/webhooks") =>
  WebhookWithSecret.parse((await ask("POST", path, { as, body: { url: URL_OF } })).json);
const listed = async (as: Who = "acme") =>
  z.object({ items: z.array(z.object({ id: z.string() })) }).parse((await ask("GET", "/v1/webhooks", { as })).json).items;

test("a webhook's secret is shown when it is made and when it is rotated, and never again", async () => {
  const made = await create();
  const rotation = await ask("POST", `/v1/webhooks/${made.id}/rotate`);
  const rotated = WebhookWithSecret.parse(rotation.json);
  const shown = await ask("GET", `/v1/webhooks/${made.id}`);

  expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(rotated.secret).not.toBe(made.secret);
  expect(rotation.headers.get("cache-control")).toBe("no-store");
  expect(shown.json).toMatchObject({ url: URL_OF, owner: "acme", secretNumber: 2, oldSecretUntil: expect.any(String) });
  expect(JSON.stringify([shown.json, (await ask("GET", "/v1/webhooks")).json])).not.toContain("whsec_");
  expect(JSON.stringify(await weir.deps.control.webhooks.history(made.id, { limit: 10 }))).not.toContain(made.secret.slice(6));
});

test("a list's empty cursor is refused as the caller's mistake", async () => {
  const made = await create();

  for (const path of ["/v1/webhooks", `/v1/webhooks/${made.id}/deliveries`])
    expect(await ask("GET", `${path}?cursor=`)).toMatchObject({ status: 400, json: { error: { param: "cursor" } } });
});

test.each([
  ["http://93.184.216.34/hook", /https/],
  ["https://127.0.0.1/hook", /public address/],
  ["https://[::ffff:169.254.169.254]/hook", /public address/],
  ["https://0x7f000001/hook", /public address/],
  ["https://metadata.google.internal/hook", /public address/],
  ["https://name.that.leads.nowhere.example/hook", /leads nowhere/],
  ["https://a:b@93.184.216.34/hook", /password/],
  ["gopher://93.184.216.34/", /url/],
  ["hook", /url/],
])("%s is refused when it is registered, and nothing is stored", async (url, message) => {
  const before = await listed();

  const refused = await ask("POST", "/v1/webhooks", { body: { url } });

  expect(refused.status).toBe(400);
  expect(refused.json).toMatchObject({ error: { param: "url", message: expect.stringMatching(message) } });
  expect(await listed()).toEqual(before);
});

test("another tenant's webhook, the operators' and a deleted one are not there", async () => {
  const [theirs, ours, operators] = [await create("globex"), await create(), await create("operators", "/admin/webhooks")];
  await ask("DELETE", `/v1/webhooks/${ours.id}`);

  for (const { id } of [theirs, ours, operators]) {
    for (const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", "/rotate"],
      ["POST", "/test"],
      ["GET", "/deliveries"],
    ] as const) {
      expect((await ask(method, `/v1/webhooks/${id}${path}`)).status).toBe(404);
    }
  }
  expect((await ask("GET", `/v1/webhooks/${theirs.id}`, { as: "globex" })).status).toBe(200);
  expect((await ask("GET", `/admin/webhooks/${theirs.id}`, { as: "operators" })).status).toBe(404);
  expect((await ask("GET", "/v1/webhooks", { as: "reader" })).status).toBe(403);
});

test("a test is a delivery on its way, and one that has ended can be sent again", async () => {
  const { id } = await create();
  const sent = await ask("POST", `/v1/webhooks/${id}/test`);
  const event = String(sent.json["event"]);
  const replay = () => ask("POST", `/v1/webhooks/${id}/deliveries/${event}/replay`);

  expect(sent).toMatchObject({ status: 202, json: { type: "webhook.test", tenant: "acme", state: "pending", attempts: 0 } });
  expect((await replay()).json).toMatchObject({ state: "pending", attempts: 0 });
  const pending = await weir.deps.events.find(id, event);
  if (pending === undefined) throw new Error("the delivery is gone");
  await weir.deps.events.move(pending, { ...pending, state: "dead", attempts: 10, outcome: "answered 500" });
  expect((await ask("GET", `/v1/webhooks/${id}/deliveries`)).json).toMatchObject({
    items: [{ state: "dead", outcome: "answered 500", nextAttemptAt: null }],
  });
  expect((await replay()).json).toMatchObject({ state: "pending", attempts: 0 });
  for (const none of ["nothing", "n".repeat(3_000), "%00"])
    expect((await ask("POST", `/v1/webhooks/${id}/deliveries/${none}/replay`)).status).toBe(404);
});

test("an owner has twenty webhooks and no more", async () => {
  for (let count = (await listed("globex")).length; count < 20; count += 1) await create("globex");

  const refused = await ask("POST", "/v1/webhooks", { as: "globex", body: { url: URL_OF } });

  expect(refused.status).toBe(409);
  expect(await listed("globex")).toHaveLength(20);
});

test("deleted ones do not hide those that are there, and there is an end to how many there may ever be", async () => {
  const key = await weir.makeKey("initech", "keys");
  const change = { by: "test", why: "", atMs: weir.clock.nowMs() };
  const appendAll = async (from: number, to: number, isDeleted: boolean) => {
    for (let place = from; place < to; place += 1) {
      const id = `${place}`.padStart(16, "0");
      const body = {
        id,
        owner: "initech",
        url: URL_OF,
        eventTypes: [],
        description: "",
        isDeleted,
        secret: { number: 1, pepperVersion: 1 },
      };
      await weir.deps.control.webhooks.append(id, 0, { body, change });
    }
  };
  const asked = async () => {
    const answer = await weir.post("/v1/webhooks", { url: URL_OF }, { authorization: `Bearer ${key}` });
    return { status: answer.status, text: await answer.text() };
  };

  await appendAll(0, 110, true);
  await appendAll(110, 130, false);
  const full = await asked();
  await appendAll(130, WEBHOOKS_EVER_MAX, true);
  const ever = await asked();

  expect(full).toMatchObject({ status: 409, text: expect.stringContaining("delete one first") });
  expect(ever).toMatchObject({ status: 409, text: expect.stringContaining("deleted ones too") });
  expect(await weir.deps.control.webhooks.count("webhooks#initech")).toBe(WEBHOOKS_EVER_MAX);
});

test("what one tenant sends by hand is refused before everybody's deliveries wait behind it, and nothing is stored", async () => {
  const headers = { authorization: `Bearer ${await weir.makeKey("flood", "keys")}` };
  const made = WebhookWithSecret.parse(await (await weir.post("/v1/webhooks", { url: URL_OF }, headers)).json());
  const send = () => weir.post(`/v1/webhooks/${made.id}/test`, {}, headers);
  const statuses: number[] = [];
  for (let count = 0; count < 125; count += 1) statuses.push((await send()).status);

  const refused = await send();

  expect(statuses.filter((status) => status === 202)).toHaveLength(119);
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ "violated-policies": ["webhooks"] });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(await weir.deps.events.list(made.id, { limit: 100 })).toMatchObject({ nextCursor: expect.any(String) });
  weir.clock.advance(16_000);
  expect((await send()).status).toBe(202);
});
