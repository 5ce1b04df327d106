import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { bundleFunction } from "../../cdk/bundle.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { canonicalJson } from "../../shared/billing/canonical-json.ts";
import { createDocumentStore } from "../../shared/billing/invoices/document-store.s3.ts";
import type { DocumentStore } from "../../shared/billing/invoices/document-store.ts";
import { type Invoice, isIssued } from "../../shared/billing/invoices/invoice.ts";
import { createInvoiceBookStore } from "../../shared/billing/invoices/invoice-book-store.dynamo.ts";
import { createInvoiceStore } from "../../shared/billing/invoices/invoice-store.dynamo.ts";
import { startDynamo, type TestDynamo } from "../harness/dynamo.ts";
import { documentOf, issuedInvoiceOf, lineOf } from "../harness/invoices.ts";
import { startS3 } from "../harness/s3.ts";

let store: TestDynamo;
let folder: string;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-function-"));
});
afterEach(() => rm(folder, { recursive: true }));

test.each(["sealer", "invoicing", "webhooks", "balances"])(
  "the bundle of the %s exports a handler, as Lambda's runtime wants it, that does its rounds",
  async (name) => {
    bundleFunction(folder, name);
    vi.stubEnv("WEIR_DYNAMO_ENDPOINT", store.endpoint);
    vi.stubEnv("AWS_REGION", store.dynamo.settings.region); // an engine may keep each Region's tables apart
    vi.stubEnv("WEIR_PEPPERS", JSON.stringify({ "1": "a pepper of tests only" }));

    const { handler } = await import(pathToFileURL(join(folder, "index.js")).href);

    expect(await handler({}, { getRemainingTimeInMillis: () => 60_000 })).toEqual({ rounds: 1, hasMore: false });
    vi.unstubAllEnvs();
  },
);

test("the bundle of invoicing sets its documents in the typeface that lies beside it", async () => {
  const s3 = await startS3();
  const documents = createDocumentStore({ ...s3.settings, bucket: s3.recordsBucket });
  await keepFrozen(documents);
  bundleFunction(folder, "invoicing");
  vi.stubEnv("WEIR_DYNAMO_ENDPOINT", store.endpoint);
  vi.stubEnv("AWS_REGION", store.dynamo.settings.region);
  vi.stubEnv("WEIR_S3_ENDPOINT", s3.settings.endpoint);

  const { handler } = await import(pathToFileURL(join(folder, "index.js")).href);
  expect(await handler({}, { getRemainingTimeInMillis: () => 60_000 })).toMatchObject({ hasMore: false });

  const issued = (await createInvoiceStore(store.dynamo).current("acme-2026-11"))?.body;
  if (issued === undefined || !isIssued(issued)) throw new Error(`the invoice is ${issued?.state}`);
  const pdf = Buffer.from((await documents.get(issued.issue.documents.pdf.key)) ?? []).toString("latin1");
  expect(pdf.match(/\+DejaVuSansCondensed(-Bold)?\b/g)?.length).toBeGreaterThanOrEqual(2);
  expect(readdirSync(join(folder, "fonts"))).toContain("LICENSE");
  vi.unstubAllEnvs();
  documents.close();
  await s3.close();
}, 60_000);

/** An invoice whose number somebody has taken and not given: a round gives it. */
async function keepFrozen(documents: DocumentStore) {
  const { state: _, issue: __, credits: ___, ...head } = issuedInvoiceOf("acme");
  const bytes = Buffer.from(canonicalJson(documentOf([lineOf(100n)], { buyer: { tenant: "acme", name: "Żółć Ромашка" } })));
  const document = { key: "invoices/acme-2026-11/frozen.json", sha256: sha256Hex(bytes), bytes: bytes.length };
  await documents.put(document.key, bytes, "application/json");
  const body: Invoice = { ...head, state: "frozen", document, madeAt: "2026-12-02T00:00:00.000Z", prefix: "INV", paymentTermDays: 30 };
  await createInvoiceStore(store.dynamo).append(body.id, 0, { body, change: { by: "test", why: "", atMs: 0 } });
  expect(await createInvoiceBookStore(store.dynamo).take("invoices", { number: 1, bearer: body.id, atMs: 0 })).toBe(true);
}
