import { afterAll, beforeAll, expect, test } from "vitest";
import { startS3, type TestS3 } from "../../../test/harness/s3.ts";
import { createDocumentStore } from "../../billing/invoices/document-store.s3.ts";
import { createBodyTidier, createKeptBodies } from "./kept-body-store.s3.ts";

const HOUR_MS = 3_600_000;

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.close());

test("where no lifecycle does it, bodies that are old are removed, a bounded number at a time, and nothing beside them", async () => {
  const [bodies, tidier, documents] = [createKeptBodies(s3.settings), createBodyTidier(s3.settings), createDocumentStore(s3.settings)];
  for (const name of ["a", "b", "c"]) await bodies.put(`bodies/acme/${name}`, Buffer.from(name));
  await documents.put("invoices/acme/x.json", Buffer.from("{}"), "application/json");

  const young = await tidier.removeBefore(Date.now() - HOUR_MS, { objectsMax: 10 });
  const first = await tidier.removeBefore(Date.now() + HOUR_MS, { objectsMax: 2 });
  const rest = await tidier.removeBefore(Date.now() + HOUR_MS, { objectsMax: 2, cursor: first.cursor });

  expect([young, first, rest]).toEqual([
    { removed: 0, cursor: undefined },
    { removed: 2, cursor: "bodies/acme/b" },
    { removed: 1, cursor: undefined },
  ]);
  expect(await bodies.get("bodies/acme/a")).toBeUndefined();
  expect(await documents.get("invoices/acme/x.json")).toBeDefined();
  for (const each of [bodies, tidier, documents]) each.close();
});

test("a document that is removed is gone, and may be removed again", async () => {
  const documents = createDocumentStore(s3.settings);
  await documents.put("invoices/acme/y.json", Buffer.from("{}"), "application/json");

  await documents.remove("invoices/acme/y.json");
  await documents.remove("invoices/acme/y.json");

  expect(await documents.get("invoices/acme/y.json")).toBeUndefined();
  documents.close();
});
