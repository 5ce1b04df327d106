import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { startValvedDynamo, type ValvedDynamo } from "../../test/harness/valved-dynamo.ts";
import type { Page } from "../base/page.ts";
import { createRevisionLog, REVISION_BYTES_MAX, type Revision, type RevisionLog } from "./revision-log.ts";

const Boat = z.object({ name: z.string(), harbour: z.string(), oars: z.int().min(0) });
type Boat = z.infer<typeof Boat>;

let store: ValvedDynamo;
beforeAll(async () => {
  store = await startValvedDynamo();
});
afterAll(() => store.close());

/** Each test sails from its own harbour, in one store for all. */
let harbour: string;
let boats: RevisionLog<Boat>;
beforeEach(() => {
  store.valve.turn("open");
  harbour = randomUUID();
  boats = createRevisionLog(store.dynamo, { name: `boat-${harbour}`, schema: Boat, groupOf: (boat) => boat.harbour });
});

const change = (why = "") => ({ by: "ann", why, atMs: Date.UTC(2026, 10, 23, 19) });
const boat = (oars: number, name = "b") => ({ body: { name, harbour, oars }, change: change(`${oars} oars`) });
const launch = (name: string) => boats.append(name, 0, boat(2, name));

/** Every page of a list, to its end. */
async function pagesOf<T>(read: (cursor?: string) => Promise<Page<Revision<T>>>): Promise<(readonly Revision<T>[])[]> {
  const pages: (readonly Revision<T>[])[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    pages.push(page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined && pages.length < 20);
  return pages;
}

const paged = (limit: number, cursor: string | undefined) => ({ limit, ...(cursor === undefined ? {} : { cursor }) });

test("the current revision is the last one, with who, when and why", async () => {
  expect(await boats.current("b")).toBeUndefined();

  await boats.append("b", 0, boat(2));
  const second = await boats.append("b", 1, boat(4));

  expect(second).toEqual({ revision: 2, body: boat(4).body, by: "ann", why: "4 oars", at: "2026-11-23T19:00:00.000Z" });
  expect(await boats.current("b")).toEqual(second);
});

test("of many who change the same revision exactly one does", async () => {
  await boats.append("b", 0, boat(0));

  const outcomes = await Promise.allSettled([1, 2, 3, 4, 5].map((oars) => boats.append("b", 1, boat(oars))));

  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "conflict" });
  expect((await boats.history("b", { limit: 10 })).items).toHaveLength(2);
});

test("a change whose acknowledgement is lost is not a conflict with itself", async () => {
  store.valve.once("lost", "PutItem");

  const appended = await boats.append("b", 0, boat(2)); // the SDK repeats the put and finds it done

  expect(appended).toMatchObject({ revision: 1, body: { oars: 2 } });
});

test("a body that breaks the schema is never stored", async () => {
  await expect(boats.append("b", 0, boat(-1))).rejects.toThrow();

  expect(await boats.current("b")).toBeUndefined();
});

test("a body that no item can hold is refused in words, and never stored", async () => {
  await expect(boats.append("b", 0, boat(2, "é".repeat(REVISION_BYTES_MAX / 2)))).rejects.toMatchObject({
    code: "too_large",
    message: expect.stringContaining("400000"),
  });

  expect(await boats.current("b")).toBeUndefined();
});

test("history goes from the newest to the oldest, page by page", async () => {
  for (let oars = 0; oars < 12; oars += 1) await boats.append("b", oars, boat(oars));

  const pages = await pagesOf((cursor) => boats.history("b", paged(5, cursor)));

  expect(pages.map((page) => page.map(({ revision }) => revision))).toEqual([
    [12, 11, 10, 9, 8],
    [7, 6, 5, 4, 3],
    [2, 1],
  ]);
  expect((await boats.history("b", { limit: 12 })).nextCursor).toBeUndefined();
});

test("a group lists the current revision of each of its ids once, by id, page by page", async () => {
  for (const name of ["c", "a", "e", "b", "d"]) await launch(name);
  await boats.append("c", 1, boat(8, "c"));
  await boats.append("elsewhere", 0, { body: { ...boat(1).body, harbour: "another" }, change: change() });

  const pages = await pagesOf((cursor) => boats.list(harbour, paged(2, cursor)));

  const seen = pages.map((page) => page.map(({ body }) => `${body.name}${body.oars}`));
  expect(seen.flat()).toEqual(["a2", "b2", "c8", "d2", "e2"]);
  expect(seen.every((page) => page.length <= 2)).toBe(true);
});

test("ids that share a partition are listed highest first, each by its newest revision", async () => {
  const addressOf = (id: string) => ({ pk: harbour, skPrefix: `${id.padStart(3, "0")}#` });
  const moored = createRevisionLog(store.dynamo, { name: "moored", schema: Boat, addressOf });
  for (const id of ["9", "10", "2"]) await moored.append(id, 0, boat(Number(id)));
  for (let revision = 1; revision < 7; revision += 1) await moored.append("9", revision, boat(100 + revision));

  const pages = await pagesOf((cursor) => moored.listPartition(harbour, paged(1, cursor)));

  expect(pages.map((page) => page.map(({ body, revision }) => `${body.oars}@${revision}`))).toEqual([["10@1"], ["106@7"], ["2@1"]]);
  expect((await moored.current("9"))?.body.oars).toBe(106);
  expect((await moored.listPartition(harbour, { limit: 3 })).nextCursor).toBeUndefined();
});

test("a partition of more than one page of the store is read to its end", async () => {
  const addressOf = (id: string) => ({ pk: harbour, skPrefix: `${id}#` });
  const heavy = createRevisionLog(store.dynamo, { name: "heavy", schema: Boat, addressOf });
  const freight = "f".repeat(200_000); // six of them are more than DynamoDB's page of 1 MB
  await Promise.all(
    ["a", "b", "c", "d", "e", "f", "g"].map((id) => heavy.append(id, 0, { ...boat(1), body: { name: id, harbour: freight, oars: 1 } })),
  );

  expect((await heavy.listPartition(harbour, { limit: 100 })).items.map(({ body }) => body.name).join("")).toBe("gfedcba");
});

test.each(["", "x", "0", "-1", "1.5"])("the cursor '%s', which no list gave, is refused", async (cursor) => {
  const wrong = { code: "invalid_request", field: "cursor" };

  await expect(boats.history("b", { limit: 1, cursor })).rejects.toMatchObject(wrong);
  await expect(boats.list(harbour, { limit: 1, cursor })).rejects.toMatchObject(wrong);
  await expect(boats.listPartition(harbour, { limit: 1, cursor })).rejects.toMatchObject(wrong);
});

test.each(["closed", "throttled"] as const)("a store that is %s is unavailable, not a crash", async (state) => {
  store.valve.turn(state);

  const outcomes = await Promise.allSettled([boats.current("b"), boats.append("b", 0, boat(1))]);

  for (const outcome of outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
});
