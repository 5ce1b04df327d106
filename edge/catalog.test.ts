import { afterAll, beforeAll, expect, test } from "vitest";
import { EMBED, type Serving, startServing } from "../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());

const resolve = (reference: string, tenant = "acme", unit = "u") => weir.deps.catalog.resolve({ reference, caller: { tenant }, unit });
const versionOf = async (reference: string) => (await resolve(reference)).version.number;

test("a reference is the split's choice or a version, and what cannot be seen is not there", async () => {
  expect(await resolve("minilm")).toMatchObject({ version: { number: 1 }, arm: "stable" });
  expect(await resolve("minilm@2")).toMatchObject({ version: { number: 2 }, arm: "pinned" });
  expect(await resolve("hidden", "globex")).toMatchObject({ version: { number: 1 } });
  for (const reference of ["hidden", "hidden@1", "nothing", "minilm@3", "minilm@0", "minilm:live", "", "minilm@", "../x", "a/b"]) {
    await expect(resolve(reference)).rejects.toMatchObject({ code: "not_found", field: "model" });
  }
});

test("a version that is not ready cannot be called, by number or by split", async () => {
  const base = { model: "raw", number: 1, contentDigest: "d", files: [{ path: "f", bytes: 1, sha256: "0".repeat(64) }] };
  const change = { by: "test", why: "", atMs: 0 };
  const placement = { pool: "cpu", dtype: "fp32" } as const;
  await weir.deps.control.models.append("raw", 0, { body: { name: "raw", tenants: "*" }, change });
  await weir.deps.control.versions.append({ ...base, state: "checking", placement }, 0, change);
  await weir.setShares("raw", [{ version: 1, shareBps: 10_000 }]);

  await expect(resolve("raw")).rejects.toMatchObject({ code: "not_found" });
  await expect(resolve("raw@1")).rejects.toMatchObject({ code: "not_found" });
});

test("a new split is in force after four seconds at the latest, and reads cost nothing until then", async () => {
  await weir.addVersion("moving", { facts: EMBED });
  await weir.addVersion("moving", { facts: EMBED });
  expect(await versionOf("moving")).toBe(1);
  const reads = weir.store.callsOf("Query");

  await weir.setShares("moving", [{ version: 2, shareBps: 10_000 }]);
  const readsOfSetting = weir.store.callsOf("Query") - reads;
  expect(await versionOf("moving")).toBe(1);
  expect(weir.store.callsOf("Query") - reads).toBe(readsOfSetting);
  weir.clock.advance(4_000);

  expect(await versionOf("moving")).toBe(2);
});

test("a store that is away is seen only when what is known has become too old", async () => {
  await versionOf("minilm");
  weir.store.turn("closed");

  weir.clock.advance(3_999);
  expect(await versionOf("minilm")).toBe(1);
  weir.clock.advance(1);
  await expect(resolve("minilm")).rejects.toMatchObject({ code: "unavailable" });

  weir.store.turn("open");
  expect(await versionOf("minilm")).toBe(1);
});

test("no page of models ends with one that the tenant may not see, so no cursor names it", async () => {
  for (const name of ["hidden-a", "hidden-b", "hidden-z", "zz-hidden"]) await weir.addVersion(name, { facts: EMBED, tenants: ["globex"] });
  const names: string[] = [];
  const cursors: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await weir.deps.catalog.list({ tenant: "acme" }, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    names.push(...page.items.map(({ model }) => model.body.name));
    cursor = page.nextCursor;
    if (cursor !== undefined) cursors.push(Buffer.from(cursor, "base64url").toString());
  } while (cursor !== undefined);

  expect(names).toEqual(["minilm", "moving", "sentiment", "smol"]);
  expect(cursors.join()).not.toContain("hidden");
});

test("a key that is limited to versions finds them, by the names that it may call, in the lists of all dialects", async () => {
  const key = await weir.makeKey("acme", "infer");
  const id = key.split("_")[3] ?? "";
  const { keys } = weir.deps.control;
  const stored = await keys.current(id);
  if (stored === undefined) throw new Error("no key");
  const body = { ...stored.body, models: ["minilm@2", "minilm@1", "minilm@9", "hidden@1", "sentiment"] };
  await keys.append(id, stored.revision, { body, change: { by: "test", why: "", atMs: 0 } });
  const headers = { authorization: `Bearer ${key}` };
  const index = await weir.post("/v2/repository/index", {}, headers);

  const { data } = (await (await weir.get("/v1/models", headers)).json()) as { data: { id: string; version: number }[] };
  const { models } = (await (await weir.get("/v2/models", headers)).json()) as { models: string[] };

  expect(data.map(({ id: name, version }) => [name, version])).toEqual([
    ["minilm@2", 2],
    ["minilm@1", 1],
    ["sentiment", 1],
  ]);
  expect(models).toEqual(["minilm@2", "minilm@1", "sentiment"]);
  expect(await index.json()).toMatchObject([
    { name: "minilm", version: "2" },
    { name: "minilm", version: "1" },
    { name: "sentiment", version: "1" },
  ]);
  for (const name of models) expect((await weir.get(`/v1/models/${name}`, headers)).status).toBe(200);
  expect((await weir.get("/v1/models/minilm", headers)).status).toBe(404);
});
