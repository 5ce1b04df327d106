import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../../test/harness/command.ts";
import { CHANGE, startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const BOOK = { name: "standard", currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [{ perRequest: { price: "0.001" } }] };

let gateway: TestGateway;
let environment: NodeJS.ProcessEnv;
let folder: string;
/** Runs once a tenant has been read and shown. */
let afterRead: () => Promise<unknown> = async () => undefined;
beforeAll(async () => {
  gateway = await startGateway({
    override: ({ control }) => ({
      control: {
        ...control,
        tenants: {
          ...control.tenants,
          current: async (id) => {
            const read = await control.tenants.current(id);
            const then = afterRead;
            afterRead = async () => undefined;
            await then();
            return read;
          },
        },
      },
    }),
  });
  environment = { WEIR_URL: await gateway.listen(), WEIR_KEY: gateway.operatorKey };
  folder = mkdtempSync(join(tmpdir(), "weir-revision-"));
  await gateway.makeKey("acme", "usage");
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

const weir = (...words: string[]) => runCommand(words, environment);

function fileOf(json: unknown): string {
  const path = join(folder, "file.json");
  writeFileSync(path, JSON.stringify(json));
  return path;
}

const current = async () => (await gateway.deps.control.tenants.current("acme"))?.body;

test("of two operators who bill a tenant at once none takes back the other's word: the slower is told", async () => {
  await weir("prices", "set", fileOf(BOOK));
  await weir("tenants", "bill", "acme", "standard", "--tax-rate-bps", "1900");

  afterRead = () => weir("tenants", "bill", "acme", "standard", "--tax-id", "DE1");
  const slower = await weir("tenants", "bill", "acme", "standard", "--billed-to", "Acme Ltd");

  expect(slower).toMatchObject({ code: 1, out: "" });
  expect(slower.err).toMatch(/^weir: Somebody else was faster: this is revision 3, by .* Nothing was changed; read it and try again\./);
  expect((await current())?.billing).toEqual({ priceBook: "standard", discountBps: 0, taxRateBps: 1_900, taxId: "DE1" });
  expect((await weir("tenants", "bill", "acme", "standard", "--billed-to", "Acme Ltd")).code).toBe(0);
  expect((await current())?.billing).toMatchObject({ taxId: "DE1", name: "Acme Ltd" });
});

test("a file that was made of what is shown changes that, and nothing newer", async () => {
  await weir("seller", "set", fileOf({ name: "Weir Ltd", address: ["1 Main St"] }));
  const shown = JSON.parse((await weir("seller", "show", "--json")).out);
  const prices = JSON.parse((await weir("prices", "show", "standard")).out);

  const changed = await weir("seller", "set", fileOf({ ...shown, note: "first" }));
  const late = await weir("seller", "set", fileOf({ ...shown, note: "second" }));
  const ahead = { ...prices, effectiveFrom: "2099-01-01T00:00:00Z" };
  const priced = await weir("prices", "set", fileOf(ahead));
  const latePrices = await weir("prices", "set", fileOf({ ...ahead, entries: [{ perRequest: { price: "2" } }] }));

  expect([changed.code, late.code, priced.code, latePrices.code]).toEqual([0, 1, 0, 1]);
  for (const { err } of [late, latePrices]) expect(err).toContain("Somebody else was faster: this is revision 2,");
  expect(JSON.parse((await weir("seller", "show", "--json")).out)).toMatchObject({ note: "first", revision: { number: 2 } });
  expect(JSON.parse((await weir("prices", "show", "standard")).out)).toMatchObject({ ...ahead, revision: { number: 2 } });
});

test("what is replaced as a whole can be held to the revision that was seen", async () => {
  const key = (await gateway.makeKey("acme", "usage")).split("_")[3] ?? "";
  await gateway.deps.control.models.append("engine", 0, { body: { name: "engine", tenants: "*" }, change: CHANGE });
  const upstream = { url: "http://127.0.0.1:9/v1", model: "m" };
  await gateway.deps.control.versions.append({ model: "engine", number: 1, contentDigest: "1", state: "upstream", upstream }, 0, CHANGE);
  await weir("split", "set", "engine", "1=100%");
  await gateway.deps.control.versions.append({ model: "engine", number: 2, contentDigest: "2", state: "upstream", upstream }, 0, CHANGE);

  for (const words of [
    ["limits", "set", "acme", "--tokens", "5"],
    ["limits", "set-key", key, "--tokens", "5"],
    ["split", "set", "engine", "1=90%", "2=10%"],
  ]) {
    const late = await weir(...words, "--if-revision", "77");
    expect(late).toMatchObject({ code: 1, err: expect.stringContaining('If-Match says "77"') });
  }
  expect((await current())?.limits).toEqual({});
  expect((await gateway.deps.control.keys.current(key))?.revision).toBe(1);
  expect((await gateway.deps.control.splits.current("engine"))?.revision).toBe(1);
  expect((await weir("limits", "set-key", key, "--tokens", "5", "--if-revision", "1")).code).toBe(0);
  expect((await weir("split", "set", "engine", "1=100%", "--if-revision", "0")).code).toBe(2);
});
