import { expect, test } from "vitest";
import { AUDITED } from "../audit/audit.ts";
import { BUCKETS } from "../aws/buckets.ts";
import { TABLES } from "../dynamo/tables.ts";
import { LATE_STEPS, newDeletion, STEPS } from "./deletion.ts";
import { placesOf } from "./deletion-report.ts";
import { PLACES } from "./places.ts";

const placesIn = (store: string) => PLACES.filter((place) => place.store === store).map(({ items }) => items);

test("every table has a place in the report on a deletion, and no place is in a table that is none", () => {
  expect(TABLES.filter(({ name }) => placesIn(name).length === 0)).toEqual([]);
  const stores = new Set([...TABLES.map(({ name }) => name), ...Object.keys(BUCKETS), "backups", "logs"]);
  expect(PLACES.filter(({ store }) => !stores.has(store))).toEqual([]);
});

test("every noun that is a log of revisions has a place", () => {
  const nouns = Object.keys(AUDITED);

  expect(nouns.filter((noun) => !placesIn("control").some((items) => items.startsWith(`${noun}#`)))).toEqual([]);
});

test("every folder of every bucket has a place", () => {
  const folders = Object.entries(BUCKETS).flatMap(([bucket, names]) => names.map((folder) => ({ bucket, folder })));

  expect(folders.filter(({ bucket, folder }) => !placesIn(bucket).some((items) => items.startsWith(`${folder}/`)))).toEqual([]);
});

test("every step erases something that the report names, and whatever is kept says why", () => {
  const named = new Set(PLACES.map(({ step }) => step));

  expect([...STEPS, ...LATE_STEPS].filter((name) => !named.has(name))).toEqual([]);
  for (const { store, items, kept } of placesOf(newDeletion("acme", Date.UTC(2026, 9, 20), 10)))
    if (kept !== undefined) expect(kept.why, `${store} ${items}`).toMatch(/\w/);
});
