import { afterAll, beforeAll, expect, test } from "vitest";
import { startS3, type TestS3 } from "../../../test/harness/s3.ts";
import { createDocumentStore } from "./document-store.s3.ts";
import { documentKey } from "./document-store.ts";

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.close());

test("a document comes back as it was put, and one that was never put is none", async () => {
  const documents = createDocumentStore(s3.settings);
  const bytes = Buffer.from([0, 255, 10, 13, 128]);
  const key = documentKey("acme-2026-11", "ab", "pdf");

  await documents.put(key, bytes, "application/pdf");

  expect(Buffer.from((await documents.get(key)) ?? [])).toEqual(bytes);
  expect(await documents.get("invoices/none")).toBeUndefined();
  documents.close();
});
