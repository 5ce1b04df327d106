import { ScanCommand } from "@aws-sdk/client-dynamodb";
import type { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { createApp } from "../../edge/app.ts";
import type { EdgeEnv } from "../../edge/env.ts";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import type { Webhook } from "../../shared/events/webhook.ts";
import type { Key } from "../../shared/keys/key.ts";
import { EMBED, type Serving, startServing } from "../harness/serving.ts";
import { CALLERS, type Caller } from "./callers.ts";
import { PARAMETERS, ROWS, type Row, type Thing } from "./rows.ts";

const RATE = { requestsPerSecond: 100_000, burst: 1_000_000 };
/** Query parameters that must be said. */
const SOME: Readonly<Record<string, string>> = { month: "2026-10" };
const CHANGE = { by: "test", why: "", atMs: 0 };

const INVOICE: Invoice = {
  ...{ id: "theirs-2026-10", tenant: "theirs", month: "2026-10", currency: "EUR", state: "draft", madeAt: "2026-11-01T00:00:00.000Z" },
  ...{ adjustments: [], closed: { of: 1, sealed: 1, audited: 0 }, totals: { netMinor: "1", taxMinor: "0", totalMinor: "1" } },
  document: { key: "invoices/theirs", sha256: "0".repeat(64), bytes: 1 },
};
const THEIR_WEBHOOK: Webhook = {
  ...{ id: "theirWebhook0000", owner: "theirs", url: "https://example.com/hook", eventTypes: [], description: "", isDeleted: false },
  secret: { number: 1, pepperVersion: 1 },
};

let weir: Serving;
let app: Hono<EdgeEnv>;
let keys: ReadonlyMap<Caller, string>;
/** Of tenant `theirs`, and what nobody has. */
let things: Readonly<Record<Thing, { readonly theirs: string; readonly nobodys: string }>>;
beforeAll(async () => {
  weir = await startServing();
  app = createApp(weir.deps);
  for (const tenant of ["ours", "theirs", "operators"]) await weir.makeTenant(tenant, RATE);
  await weir.addVersion("secret", { facts: EMBED, tenants: ["theirs"] });
  await weir.deps.control.webhooks.append(THEIR_WEBHOOK.id, 0, { body: THEIR_WEBHOOK, change: CHANGE });
  const theirKey = await weir.makeKey("theirs", "infer", "usage", "keys");
  things = {
    model: { theirs: "secret", nobodys: "nobody" },
    key: { theirs: idOf(theirKey), nobodys: "0000000000000000" },
    invoice: { theirs: "theirs-2026-10", nobodys: "nobody-2026-10" },
    tenant: { theirs: "theirs", nobodys: "nobody" },
    webhook: { theirs: THEIR_WEBHOOK.id, nobodys: "0000000000000000" },
  };
  await weir.deps.control.invoices.append(INVOICE.id, 0, { body: INVOICE, change: CHANGE });
  keys = new Map(await Promise.all(CALLERS.map(async (caller) => [caller, await keyOf(caller)] as const)));
});
afterAll(() => weir.close());

const idOf = (text: string) => text.split("_")[3] ?? "";

async function keyOf({ tenant, scopes, role }: Caller): Promise<string> {
  const key = await weir.makeKey(tenant, ...scopes);
  if (role === undefined) return key;
  await weir.deps.control.people.append(role, 0, { body: { id: role, name: role, role, isActive: true }, change: CHANGE });
  await change(key, { person: role });
  return key;
}

async function change(text: string, body: Partial<Key>) {
  const before = await weir.deps.control.keys.current(idOf(text));
  if (before === undefined) throw new Error("no such key");
  await weir.deps.control.keys.append(before.body.id, before.revision, { body: { ...before.body, ...body }, change: CHANGE });
}

type Asking = { readonly key?: string | undefined; readonly name?: string; readonly body?: unknown };

/** Asks a row's route; what the path names is `name`, or nobody's. */
async function ask(line: string, { key, name, body }: Asking) {
  const [method = "", path = ""] = line.split(" ");
  let place = 0;
  const url = path.replace(/:(\w+)/g, (_, parameter: string) => {
    place += 1;
    return place === 1 && name !== undefined ? name : (PARAMETERS[parameter] ?? "nobody");
  });
  const answer = await app.request(url, {
    method,
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    ...(method === "GET" ? {} : { body: JSON.stringify(body ?? {}) }),
  });
  return { status: answer.status, text: await answer.text() };
}

const lines = Object.entries(ROWS);

test("every route has a row, and every row a route and a description", async () => {
  const routed = new Set(
    app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path.replace(/\{.*\}$/, "")}`),
  );
  const described = (await readOperations()).map(({ line }) => line);
  const isOwn = (line: string) => /^GET \/(docs|openapi\.json)/.test(line); // the document does not describe itself

  const missing = [...routed].filter((line) => ROWS[line] === undefined);

  expect(
    missing.map(
      (line) => `${line} is new: give it a row in test/isolation/rows.ts that says who may ask it, and what of a tenant it names`,
    ),
  ).toEqual([]);
  expect(lines.map(([line]) => line).filter((line) => !routed.has(line))).toEqual([]);
  expect(lines.map(([line]) => line).filter((line) => !isOwn(line) && !described.includes(line))).toEqual([]);
});

test("a route below /v1, /v2 or /hf whose path has a parameter says what of a tenant it names", () => {
  const vague = lines.filter(([line, { names, opens }]) => / \/(v1|v2|hf)\/.*:/.test(line) && opens !== "everybody" && names === undefined);

  expect(vague.map(([line]) => `${line}: say \`names\` in its row, so that another tenant's is tried`)).toEqual([]);
});

test.each(lines)("%s is open to whom its row says, and to nobody else", async (line, { opens }) => {
  const verdicts: Record<string, string> = {};
  const promised: Record<string, string> = {};
  for (const caller of CALLERS) {
    verdicts[caller.name] = verdictOf((await ask(line, { key: keys.get(caller) })).status);
    promised[caller.name] = isOpen(opens, caller) ? "open" : "forbidden";
  }
  verdicts["nobody"] = verdictOf((await ask(line, {})).status);
  promised["nobody"] = opens === "everybody" ? "open" : "unknown";

  expect(verdicts).toEqual(promised);
});

const naming = lines.filter(([, row]) => row.names !== undefined);

test.each(naming)("%s: another tenant's looks as if it did not exist, and nothing of it changes", async (line, row) => {
  const before = await everythingOfTheirs();
  const caller = await weir.makeKey("ours", "infer", "usage", "keys");

  const [theirs, nobodys] = await bothOf(line, row, caller);

  expect(theirs.status).toBe(404);
  expect(theirs).toEqual(nobodys);
  expect(await everythingOfTheirs()).toEqual(before);
});

test.each(naming.filter(([, { names }]) => names === "model"))("%s: so does a model that the key is not for", async (line, { body }) => {
  const limited = await weir.makeKey("ours", "infer");
  await change(limited, { models: ["minilm"] });

  const [other, nobodys] = await Promise.all(["sentiment", "nobody"].map((name) => ask(line, { key: limited, name, body: body?.(name) })));

  expect(other?.status).toBe(404);
  expect(other?.text.replaceAll("sentiment", "nobody")).toBe(nobodys?.text);
});

test.each(["GET /v1/models", "GET /v2/models", "GET /v2/models/stats", "POST /v2/repository/index"])(
  "%s lists what the key may name, and no more",
  async (line) => {
    const [free, limited] = [await weir.makeKey("ours", "infer"), await weir.makeKey("ours", "infer")];
    await change(limited, { models: ["minilm"] });

    const answers = [await ask(line, { key: free }), await ask(line, { key: limited })];

    for (const { status, text } of answers) {
      expect(status).toBe(200);
      expect(text).not.toContain("secret");
      expect(text).not.toContain("hidden");
    }
    expect(answers[1]?.text).not.toContain("sentiment");
  },
);

test("where the description has a query parameter `tenant`, another tenant's is refused as nobody's is", async () => {
  const caller = await weir.makeKey("ours", "infer", "usage", "keys");
  const askable = (await readOperations()).filter(
    ({ line, parameters }) => line.includes(" /v1/") && parameters.some(({ name }) => name === "tenant"),
  );

  expect(askable.length).toBeGreaterThan(0);
  for (const { line, parameters } of askable) {
    const others = parameters
      .filter(({ required, name }) => required && name !== "tenant")
      .map(({ name }) => `&${name}=${SOME[name] ?? "x"}`);
    const [asked, unknown] = await Promise.all(
      ["theirs", "nobody"].map((tenant) => ask(`${line}?tenant=${tenant}${others.join("")}`, { key: caller })),
    );
    expect([line, asked]).toEqual([line, unknown]);
    expect([line, asked?.status]).toEqual([line, 403]);
  }
});

test("a tenant's lists of keys, usage and balance are its own", async () => {
  const caller = await weir.makeKey("ours", "infer", "usage", "keys");
  const theirs = (await everythingOfTheirs()).map(({ pk }) => pk?.S ?? "");

  for (const line of ["GET /v1/keys", "GET /v1/usage", "GET /v1/balance", "GET /v1/invoices"]) {
    const { status, text } = await ask(line, { key: caller });
    expect(status).toBe(200);
    expect(theirs.filter((pk) => text.includes(pk.split("#")[1] ?? "?"))).toEqual([]);
  }
});

test("whatever was asked, nobody was billed for what was refused", async () => {
  expect((await weir.newRows()).filter((row) => row["sk"]?.startsWith("theirs#"))).toEqual([]);
});

/** What the gateway's own description says of its routes. */
async function readOperations() {
  const Operation = z.looseObject({ parameters: z.array(z.looseObject({ name: z.string(), required: z.boolean().default(false) })) });
  const Document = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) });
  const { paths } = Document.parse(await (await app.request("/openapi.json")).json());
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters }]) => ({
      line: `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
      parameters,
    })),
  );
}

async function bothOf(line: string, row: Row, key: string) {
  const { theirs, nobodys } = things[row.names ?? "tenant"];
  const one = await ask(line, { key, name: theirs, body: row.body?.(theirs) });
  const other = await ask(line, { key, name: nobodys, body: row.body?.(nobodys) });
  return [{ ...one, text: one.text.replaceAll(theirs, nobodys) }, other] as const;
}

function isOpen(opens: Row["opens"], { rights }: Caller): boolean {
  return opens === "everybody" || opens.some((right) => rights.includes(right));
}

function verdictOf(status: number): "open" | "forbidden" | "unknown" {
  if (status === 401) return "unknown";
  return status === 403 ? "forbidden" : "open";
}

/** Every item of the control plane that is of tenant `theirs`, but when a key of it was last used. */
async function everythingOfTheirs() {
  const { Items = [] } = await weir.dynamo.client.send(new ScanCommand({ TableName: "weir-control" }));
  return Items.filter(({ pk, body }) => body?.S?.includes('"theirs"') === true || pk?.S?.endsWith("#theirs") === true).filter(
    ({ pk }) => !pk?.S?.startsWith("key-use#"),
  );
}
