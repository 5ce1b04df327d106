import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../../test/harness/command.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
let folder: string;
let key: string;
beforeAll(async () => {
  weir = await startServing();
  folder = mkdtempSync(join(tmpdir(), "weir-cli-"));
  await weir.makeTenant("operators", { requestsPerSecond: 1_000, burst: 1_000 });
  key = await weir.makeKey("operators", "operate");
  const body = { name: "plain", currency: "EUR", effectiveFrom: "2026-01-01T00:00:00Z", entries: [{ perRequest: { price: "1" } }] };
  await weir.deps.control.prices.append("plain", 0, { body, change: { by: "test", why: "", atMs: 0 } });
});
afterAll(async () => {
  await weir.close();
  rmSync(folder, { recursive: true });
});

const run = (...words: string[]) => runCommand(words, { WEIR_STATE_DIR: folder, WEIR_URL: weir.url, WEIR_KEY: key });

const billing = async () => (await weir.deps.control.tenants.current("acme"))?.body.billing;

test("a tenant's billing is set piece by piece, what is not said stays, and all of it is shown", async () => {
  expect((await run("tenants", "show", "acme")).out).toContain("acme is not billed");

  await run("tenants", "bill", "acme", "plain", "--tax-rate-bps", "1900", "--address", "1 Main St", "Springfield", "--tax-id", "DE1");
  const set = await run("tenants", "bill", "acme", "plain", "--billed-to", "Acme\u001b[31m Ltd", "--budget", "500", "--prepaid");

  expect(set.code).toBe(0);
  const address = ["1 Main St", "Springfield"];
  expect(await billing()).toMatchObject({ priceBook: "plain", taxRateBps: 1_900, address, taxId: "DE1", isPrepaid: true });
  expect(await billing()).toMatchObject({ budget: { amount: "500", alertPercents: [50, 80, 100] } });
  const { out } = await run("tenants", "show", "acme");
  for (const said of ["plain", "19 %", "before, from a balance", "1 Main St, Springfield", "DE1", "500 a month"])
    expect(out).toContain(said);
  expect(out).not.toContain("\u001b");
  expect((await run("tenants", "list")).out).toMatch(/acme .*plain/);
});

test("a prepaid tenant is sent invoices again when that is said", async () => {
  await run("tenants", "bill", "acme", "plain", "--no-prepaid", "--discount-bps", "1000");

  expect(await billing()).toMatchObject({ isPrepaid: false, discountBps: 1_000 });
  expect((await run("tenants", "bill", "acme", "plain", "--discount-bps", "0.5")).code).toBe(2);
});
