import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import { parseKeyText, peppersOf } from "../../shared/keys/key.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { type FirstKey, type KeyMaker, provideKey } from "./first-keys.ts";

const URL = "http://127.0.0.1:8787";

let store: TestDynamo;
let maker: KeyMaker;
let dir: string;
beforeAll(async () => {
  store = await startDynamo();
  maker = {
    tenants: createTenantStore(store.dynamo),
    keys: createKeyStore(store.dynamo),
    mint: { place: { env: "local", cell: "c1" }, ids: systemIds, peppers: peppersOf({ "1": "a pepper of this test" }) },
    clock: systemClock,
  };
});
afterAll(() => store.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "weir-keys-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a tenant is made with a key that only its owner's files and nobody's store hold", async () => {
  const wanted = keyFor("made");

  const key = await provideKey(maker, wanted, URL);

  expect(JSON.parse(readFileSync(wanted.path, "utf8"))).toEqual({ url: URL, key });
  expect(statSync(wanted.path).mode & 0o777).toBe(0o600);
  const stored = await maker.keys.current(parseKeyText(key)?.id ?? "");
  expect(stored?.body).toMatchObject({ tenant: "made", scopes: ["infer", "usage"], isRevoked: false });
  expect(JSON.stringify(stored)).not.toContain(parseKeyText(key)?.secret);
  expect((await maker.tenants.current("made"))?.body).toMatchObject({ name: "A tenant", isClosed: false });
});

test("the next start finds the same key, and writes where the gateway is now", async () => {
  const wanted = keyFor("kept");
  const key = await provideKey(maker, wanted, URL);

  const again = await provideKey(maker, wanted, "http://127.0.0.1:9999");

  expect(again).toBe(key);
  expect(JSON.parse(readFileSync(wanted.path, "utf8"))).toEqual({ url: "http://127.0.0.1:9999", key });
  expect((await maker.tenants.history("kept", { limit: 10 })).items).toHaveLength(1);
});

test("a key that was revoked, lost or never stored is replaced by one that works", async () => {
  const wanted = keyFor("replaced");
  const revoked = await provideKey(maker, wanted, URL);
  const stored = await maker.keys.current(parseKeyText(revoked)?.id ?? "");
  if (stored !== undefined) {
    const change = { by: "test", why: "test", atMs: 0 };
    await maker.keys.append(stored.body.id, 1, { body: { ...stored.body, isRevoked: true }, change });
  }

  const second = await provideKey(maker, wanted, URL);
  rmSync(wanted.path);
  const third = await provideKey(maker, wanted, URL);

  expect(new Set([revoked, second, third]).size).toBe(3);
  expect((await maker.keys.current(parseKeyText(third)?.id ?? ""))?.body.isRevoked).toBe(false);
});

test("a tenant that an operator has changed stays as it is", async () => {
  const wanted = keyFor("changed");
  await provideKey(maker, wanted, URL);
  const tenant = await maker.tenants.current("changed");
  if (tenant !== undefined) {
    const change = { by: "test", why: "test", atMs: 0 };
    await maker.tenants.append("changed", 1, { body: { ...tenant.body, name: "Renamed" }, change });
  }

  await provideKey(maker, wanted, URL);

  expect((await maker.tenants.current("changed"))?.body.name).toBe("Renamed");
});

test("a key file that is damaged is refused, and says how to go on", async () => {
  const wanted = keyFor("damaged");
  writeFileSync(wanted.path, '{"url":');

  await expect(provideKey(maker, wanted, URL)).rejects.toThrow("is damaged: delete it, and the next start makes a new key");
});

function keyFor(id: string): FirstKey {
  return { tenant: { id, name: "A tenant" }, scopes: ["infer", "usage"], path: join(dir, "demo.json") };
}
