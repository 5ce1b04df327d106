import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../../test/harness/command.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const BOOK = { name: "standard", currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [{ perRequest: { price: "0.001" } }] };

let gateway: TestGateway;
let environment: NodeJS.ProcessEnv;
let folder: string;
beforeAll(async () => {
  gateway = await startGateway();
  environment = { WEIR_URL: await gateway.listen(), WEIR_KEY: gateway.operatorKey };
  folder = mkdtempSync(join(tmpdir(), "weir-prices-"));
  const change = { by: "test", why: "", atMs: 0 };
  await gateway.deps.control.models.append("engine", 0, { body: { name: "engine", tenants: "*" }, change });
  const upstream = { url: "http://127.0.0.1:9/v1", model: "m" };
  await gateway.deps.control.versions.append({ model: "engine", number: 1, contentDigest: "1", state: "upstream", upstream }, 0, change);
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

const weir = (...words: string[]) => runCommand(words, environment);

function fileOf(book: unknown): string {
  const path = join(folder, "prices.json");
  writeFileSync(path, typeof book === "string" ? book : JSON.stringify(book));
  return path;
}

test("a book is set from a file, shown, listed, told and quoted", async () => {
  expect(await weir("prices", "set", fileOf(BOOK), "--why", "launch")).toMatchObject({ code: 0 });
  expect((await weir("tenants", "bill", "operators", "standard", "--discount-bps", "500")).code).toBe(0);

  expect(JSON.parse((await weir("prices", "show", "standard", "--json")).out)).toMatchObject({
    ...BOOK,
    revision: { number: 1, why: "launch" },
  });
  expect((await weir("prices", "list")).out).toMatch(/^standard +1 +EUR +2026-11-01T00:00:00Z +1 .*launch/m);
  expect((await weir("prices", "history", "standard")).out).toContain("launch");
  const tenant = await gateway.deps.control.tenants.current("operators");
  expect(tenant?.body.billing).toEqual({ priceBook: "standard", discountBps: 500, taxRateBps: 0 });
  const quoted = await weir("prices", "quote", "engine@1", "--input-tokens", "10", "--max-output-tokens", "5");
  expect(quoted.out).toMatch(/^engine@1 on upstream: at most 0(\.001 EUR by standard revision 1)?/);
});

test("a file that is wrong is refused before anything is sent, with the field", async () => {
  const wrong = await weir("prices", "set", fileOf({ ...BOOK, name: "other", entries: [{ perRequest: { price: "-1" } }] }));
  const broken = await weir("prices", "set", fileOf("{"));
  const missing = await weir("prices", "set", join(folder, "nothing.json"));

  expect([wrong.code, broken.code, missing.code]).toEqual([2, 2, 2]);
  expect(wrong.err).toContain("entries.0.perRequest.price");
  expect(await gateway.deps.control.prices.current("other")).toBeUndefined();
});

test("prices that go back in time are refused by the gateway", async () => {
  await weir("prices", "set", fileOf({ ...BOOK, name: "second" }));

  const refused = await weir("prices", "set", fileOf({ ...BOOK, name: "second", effectiveFrom: "2026-10-01T00:00:00Z" }));

  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("field effectiveFrom") });
});
