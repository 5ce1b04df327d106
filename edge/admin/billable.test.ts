import { afterAll, beforeAll, expect, test } from "vitest";
import { sha256Hex } from "../../shared/base/hash.ts";
import { canonicalJson } from "../../shared/billing/canonical-json.ts";
import { voidInvoice } from "../../shared/billing/invoices/invoice.ts";
import { CHANGE, startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { documentOf, issuedInvoiceOf, issuedOf, lineOf } from "../../test/harness/invoices.ts";

const ID = "acme-2026-11";
const objects = new Map<string, Uint8Array>();
const documents = {
  put: async (key: string, bytes: Uint8Array) => void objects.set(key, bytes),
  get: async (key: string) => objects.get(key),
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ override: () => ({ documents }) });
  const book = (effectiveFrom: string) => ({ currency: "EUR", effectiveFrom, entries: [{ perRequest: { price: "1" } }] });
  await gateway.ask("PUT", "/admin/prices/standard", { body: book("2026-11-10T00:00:00Z") });
  await gateway.ask("PUT", "/admin/prices/dearer", { body: book("2026-11-10T00:00:00Z") });
  await gateway.ask("PUT", "/admin/prices/next", { body: book("2026-12-01T00:00:00Z") });
  await gateway.makeKey("acme", "usage");
  const bytes = Buffer.from(canonicalJson(issuedOf(documentOf([lineOf(10_000n)]))));
  const kept = { key: `invoices/${ID}`, sha256: sha256Hex(bytes), bytes: bytes.length };
  objects.set(kept.key, bytes);
  const issued = issuedInvoiceOf("acme");
  const body = voidInvoice(
    { ...issued, issue: { ...issued.issue, documents: { json: kept, csv: kept, pdf: kept } } },
    { reason: "x", at: issued.issue.issuedAt },
  );
  await gateway.deps.control.invoices.append(ID, 0, { body, change: CHANGE });
});
afterAll(() => gateway.close());

/** As an earlier month has left it, whatever may be said today. */
async function bill(priceBook: string) {
  const current = await gateway.deps.control.tenants.current("acme");
  if (current === undefined) throw new Error("there is no acme");
  const body = { ...current.body, billing: { priceBook, discountBps: 0, taxRateBps: 1_900 } };
  await gateway.deps.control.tenants.append("acme", current.revision, { body, change: CHANGE });
}

const replace = () => gateway.ask("POST", `/admin/invoices/${ID}/replace`, { body: { reason: "right company" } });
const asked = () => gateway.deps.control.replacements.current(`${ID}-r2`);

test("a month is not invoiced again by a book that came after it, which would make it free; nothing is stored", async () => {
  await bill("next");

  const refused = await replace();

  expect(refused).toMatchObject({ status: 409, json: { error: { message: expect.stringContaining("would be free") } } });
  expect(await asked()).toBeUndefined();
});

test.each(["standard", "dearer"])("by the book %s, which began in that month as the first one did, it is", async (book) => {
  await bill(book);

  expect((await replace()).status).toBe(201);
  expect((await asked())?.body.state).toBe("asked");
});
