import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { AUDITED, AuditEntry } from "../../shared/audit/audit.ts";
import { pageOf } from "../../shared/base/page.ts";
import { type Change, createRevisionLog } from "../../shared/dynamo/revision-log.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.close());

async function read(query = "") {
  const answer = await gateway.ask("GET", `/admin/audit${query}`);
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  return pageOf(AuditEntry).parse(answer.json);
}

const JANUARY = "from=2023-01-01&to=2023-02-01";
const cursorOf = (place: object) => Buffer.from(JSON.stringify(place)).toString("base64url");

async function readAll(query: string) {
  const items: AuditEntry[] = [];
  for (let cursor = "", pages = 0; pages < 50; pages += 1) {
    const page = await read(`?${query}${cursor}`);
    items.push(...page.items);
    if (page.nextCursor === undefined) return items;
    cursor = `&cursor=${page.nextCursor}`;
  }
  throw new Error("the list does not end");
}

/** Changes straight in a store, at instants of the test's choosing. */
async function at(instant: string, id: string, revision: number) {
  const { models } = gateway.deps.control;
  const change: Change = { by: "test", why: instant, atMs: Date.parse(instant) };
  await models.append(id, revision - 1, { body: { name: id, tenants: [`t${revision}`] }, change });
}

test("a change says who, when and why, with what was before and after", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "acme", why: "first customer" } });
  await gateway.ask("PATCH", "/admin/tenants/acme", { body: { name: "Acme Ltd", why: "renamed" } });

  const { items } = await read("?noun=tenant&limit=2");

  const by = gateway.operatorKey.split("_")[3];
  expect(items).toMatchObject([
    { noun: "tenant", id: "acme", revision: 2, by, why: "renamed", before: { name: "acme" }, after: { name: "Acme Ltd" } },
    { noun: "tenant", id: "acme", revision: 1, by, why: "first customer", after: { name: "acme" } },
  ]);
  expect(items[1]).not.toHaveProperty("before");
});

test("what a secret could be guessed by is in no entry", async () => {
  const made = await gateway.ask("POST", "/admin/keys", { body: { tenant: "acme", name: "x", scopes: ["infer"] } });
  const { id } = made.json as { id: string }; // a created key
  await gateway.ask("POST", `/admin/keys/${id}/rotate`);

  const { items } = await read(`?noun=key&id=${id}`);

  expect(items).toMatchObject([{ revision: 2, after: { name: "x", scopes: ["infer"] } }, { revision: 1 }]);
  expect(JSON.stringify(items)).not.toMatch(/hmac|pepper|previous/i);
});

test("pages across nouns and months, newest first, hold every change of the range once", async () => {
  const instants = ["2025-01-31T23:59:59.999Z", "2025-02-01T00:00:00.000Z", "2025-04-10T10:00:00.000Z", "2025-04-10T10:00:00.001Z"];
  await Promise.all(instants.slice(0, 3).map((instant, place) => at(instant, `m${place}`, 1)));
  await at(instants[3] ?? "", "m0", 2);

  const items = await readAll("from=2025-01-31T23:59:59.999Z&to=2025-04-10T10:00:00.002Z&limit=1");

  expect(items.map((entry) => entry.at)).toEqual(instants.toReversed());
  expect(items[0]).toMatchObject({ noun: "model", id: "m0", revision: 2, before: { tenants: ["t1"] }, after: { tenants: ["t2"] } });
  expect(await readAll("from=2025-02-01&to=2025-04-10T10:00:00.001Z")).toHaveLength(2);
  expect(await readAll("from=2025-02-01&to=2025-05-01&noun=tenant")).toEqual([]);
});

test("changes are found by who made them: a person, a key, or a part of Weir; across nouns and pages, and of one thing", async () => {
  const { models } = gateway.deps.control;
  const makers = [{ by: "k1", person: "ann" }, { by: "k1", person: "ann" }, { by: "k2", person: "ann" }, { by: "k2" }, { by: "intake" }];
  const atMs = Date.UTC(2022, 2, 31, 23, 59, 59);
  for (let turn = 0; turn < 120; turn += 1) {
    const maker = makers[turn % makers.length] ?? { by: "" };
    const change: Change = { ...maker, why: `${turn}`, atMs: atMs + turn * 100 };
    await models.append("by-many", turn, { body: { name: "by-many", tenants: "*" }, change });
  }
  const range = "from=2022-03-01&to=2022-05-01";

  const ofAnn = await readAll(`${range}&actor=ann&limit=7`);

  expect(ofAnn.map(({ why }) => Number(why))).toEqual(Array.from({ length: 120 }, (_, turn) => 119 - turn).filter((turn) => turn % 5 < 3));
  for (const [actor, count] of [
    ["k2", 48],
    ["intake", 24],
    ["nobody", 0],
  ] as const) {
    expect(await readAll(`${range}&actor=${actor}&limit=100`)).toHaveLength(count);
    expect(await readAll(`noun=model&id=by-many&actor=${actor}`)).toHaveLength(count);
  }
  expect(await readAll(`${range}&actor=ann&noun=tenant`)).toEqual([]);
});

test("a version, whose model's versions share a partition, is found by its own name", async () => {
  const upstream = { url: "http://127.0.0.1:9/v1", model: "engine" };
  const change = { by: "test", why: "", atMs: Date.UTC(2024, 5, 1) };
  for (const number of [1, 2]) {
    await gateway.deps.control.versions.append({ model: "m", number, contentDigest: "", state: "upstream", upstream }, 0, change);
  }

  expect((await read("?noun=version&id=m@2")).items).toMatchObject([{ id: "m@2", revision: 1, after: { number: 2 } }]);
  const across = await readAll("noun=version&from=2024-06-01&to=2024-06-02");
  expect(across.map(({ id }) => id).toSorted()).toEqual(["m@1", "m@2"]);
  expect(across.every((entry) => !("before" in entry))).toBe(true);
});

test("a page that the range has moved past meanwhile is an empty one, as is what a later range begins with", async () => {
  const place = { ak: "audit#2023-01", as: "2023-01-05T00:00:00.000Z model#m", pk: "model#m", sk: "r#000000001" };

  expect(await read(`?from=2023-01-10&to=2023-02-01&cursor=${cursorOf(place)}`)).toEqual({ items: [] });
  expect(await read(`?from=2023-01-01&to=2023-01-03&cursor=${cursorOf(place)}`)).toEqual({ items: [] });
});

test.each([
  ["an unknown noun", "noun=secret", "noun"],
  ["an id without its noun", "id=acme", "noun"],
  ["a range of one thing", "noun=tenant&id=acme&from=2026-01-01", "from"],
  ["a range that ends before it begins", "from=2026-02-01&to=2026-01-01", "from"],
  ["a range of years", "from=2020-01-01&to=2026-01-01", "from"],
  ["a foreign cursor", "cursor=abc", "cursor"],
  ["another list's cursor", `cursor=${cursorOf({ ak: "audit#1999-01", as: "", pk: "", sk: "" })}`, "cursor"],
  ["a cursor that leads to no place", `cursor=${cursorOf({ ak: "audit#2023-01", as: "2023-01-05", pk: "", sk: "" })}&${JANUARY}`, "cursor"],
])("%s is refused with the field's name", async (_, query, field) => {
  expect(await gateway.ask("GET", `/admin/audit?${query}`)).toMatchObject({ status: 400, json: { error: { field } } });
});

test("a noun that nobody has declared shows who, when and why, and no body", async () => {
  const store = createRevisionLog(gateway.dynamo, { name: "surprise", schema: z.string() });
  await store.append("x", 0, { body: "hidden-body", change: { by: "test", why: "surprise", atMs: Date.UTC(2023, 0, 5) } });

  const [entry, ...others] = await readAll("from=2023-01-01&to=2023-02-01");

  expect(others).toEqual([]);
  expect(entry).toEqual({ noun: "surprise", id: "x", revision: 1, by: "test", why: "surprise", at: "2023-01-05T00:00:00.000Z" });
});

test("every noun of the sources is declared", () => {
  const root = join(import.meta.dirname, "../../shared");
  const sources = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".dynamo.ts"));

  const nouns = sources.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/createRevisionLog[^(]*\(\w+, \{ name: "([^"]+)"/g)].map(([, name]) => name ?? ""),
  );

  expect(nouns.length).toBeGreaterThan(5);
  expect(
    nouns
      .filter((noun) => !Object.hasOwn(AUDITED, noun))
      .map((noun) => `${noun}: say in AUDITED (shared/audit/audit.ts) what of it is never shown`),
  ).toEqual([]);
});
