import { afterAll, beforeAll, expect, test } from "vitest";
import { parseKeyText } from "../shared/keys/key.ts";
import { policiesOf } from "../shared/limits/policy.ts";
import { type Serving, startServing } from "../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());

async function find(text: string) {
  const parsed = parseKeyText(text);
  if (parsed === undefined) throw new Error("not a key");
  return weir.deps.directory.find(parsed);
}

test("a key speaks for its tenant, with its scopes and what limits it", async () => {
  const key = await weir.makeKey("acme", "infer", "usage");

  expect(await find(key)).toEqual({
    keyId: key.split("_")[3],
    tenant: "acme",
    scopes: new Set(["infer", "usage"]),
    policies: policiesOf({ tenant: { id: "acme", rate: { requestsPerSecond: 100, burst: 200 } }, key: { id: key.split("_")[3] ?? "" } }),
  });
});

test("a key of another installation is nobody's, and is not looked up", async () => {
  const parsed = parseKeyText(weir.key);
  if (parsed === undefined) throw new Error("not a key");
  const reads = weir.store.callsOf("Query");

  expect(await weir.deps.directory.find({ ...parsed, cell: "c2" })).toBeUndefined();
  expect(await weir.deps.directory.find({ ...parsed, env: "prod" })).toBeUndefined();

  expect(weir.store.callsOf("Query")).toBe(reads);
});

test("a revoked key may serve for a while, and is refused after 30 seconds at the latest", async () => {
  const key = await weir.makeKey("acme", "infer");
  await find(key);
  await weir.revoke(key);

  expect(await find(key)).toBeDefined(); // known for less than 5 seconds
  weir.clock.advance(30_000);

  expect(await find(key)).toBeUndefined();
  weir.clock.advance(-30_000);
});

test("while the store is away known keys still serve, up to their hard age", async () => {
  const key = await weir.makeKey("acme", "infer");
  await find(key);
  weir.store.turn("closed");

  weir.clock.advance(29_999);
  expect(await find(key)).toBeDefined();
  weir.clock.advance(1);
  await expect(find(key)).rejects.toMatchObject({ code: "unavailable" });

  weir.store.turn("open");
  weir.clock.advance(-30_000);
});

test("an unknown key is remembered as such, so that it costs one look", async () => {
  const revoked = await weir.makeKey("acme", "infer");
  await weir.revoke(revoked);
  await find(revoked);
  const reads = weir.store.callsOf("Query");

  expect(await find(revoked)).toBeUndefined();
  expect(weir.store.callsOf("Query")).toBe(reads);
});
