import { afterAll, beforeAll, expect, test } from "vitest";
import { CHANGE } from "../../test/harness/gateway.ts";
import { startPublishing, type TestPublishing } from "../../test/harness/publishing.ts";

let weir: TestPublishing;
beforeAll(async () => {
  weir = await startPublishing();
});
afterAll(() => weir.close());

const SHA = "0".repeat(63);
const file = (path: string, digit = "1") => ({ path, bytes: 10, sha256: SHA + digit });
const FILES = [file("config.json", "1"), file("tokenizer.json", "2"), file("onnx/model.onnx", "3")];
const PLACEMENT = { pool: "cpu", dtype: "fp32" };
const fallbackTo = (...fallbacks: object[]) => ({ placement: { ...PLACEMENT, fallbacks } });
const UPSTREAM = { url: "http://127.0.0.1:8000/v1", model: "engine" };

test("an upload plan names every missing part, and stores nothing", async () => {
  const plan = await weir.fetch("/admin/models/planned/uploads", { files: FILES, placement: PLACEMENT });

  expect(plan).toMatchObject({ status: 200, json: { bytesMissing: 30, parts: [{ number: 1, offset: 0, bytes: 10 }, {}, {}] } });
  expect(plan.json).not.toHaveProperty("version");
  expect((await weir.fetch("/admin/models/planned")).status).toBe(404);
});

test.each([
  ["a path that leaves the folder", { files: [...FILES, file("../x")] }, "files.3.path"],
  ["an absolute path", { files: [...FILES, file("/etc/passwd")] }, "files.3.path"],
  ["a path twice", { files: [...FILES, file("config.json")] }, "files"],
  ["a digest of two sizes", { files: [...FILES, { ...file("x", "1"), bytes: 11 }] }, "x"],
  ["no tokenizer", { files: FILES.filter(({ path }) => path !== "tokenizer.json") }, "tokenizer.json"],
  ["no configuration", { files: FILES.slice(1) }, "config.json"],
  ["no graph for its dtype", { placement: { pool: "cpu", dtype: "q8" } }, "onnx/model_quantized.onnx"],
  ["an unknown pool", { placement: { pool: "moon", dtype: "fp32" } }, "placement.pool"],
  ["an unknown dtype", { placement: { pool: "cpu", dtype: "fp64" } }, "placement.dtype"],
  ["a fallback on an unknown pool", fallbackTo({ pool: "moon", dtype: "fp32" }), "placement.fallbacks.0.pool"],
  ["no graph for a fallback's dtype", fallbackTo({ pool: "cpu", dtype: "q8" }), "onnx/model_quantized.onnx"],
  ["a fallback that is the place itself", fallbackTo(PLACEMENT), "placement.fallbacks"],
  ["a fallback twice", fallbackTo({ version: 1 }, { version: 1 }), "placement.fallbacks"],
  ["a fallback to a version that does not exist", fallbackTo({ version: 1 }), "placement.fallbacks.0.version"],
  ["a fallback that is both", fallbackTo({ ...PLACEMENT, version: 1 }), "placement.fallbacks.0"],
  ["five fallbacks", fallbackTo(...[1, 2, 3, 4, 5].map((version) => ({ version }))), "placement.fallbacks"],
  ["a field that nobody knows", { colour: "red" }, ""],
])("%s is refused with the field's name, and nothing is stored", async (_, change, field) => {
  for (const path of ["uploads", "versions"]) {
    const answer = await weir.fetch(`/admin/models/refused/${path}`, { files: FILES, placement: PLACEMENT, ...change });

    expect(answer.status).toBe(400);
    if (path === "uploads" && field !== "") expect(answer.json).toMatchObject({ error: { code: "invalid_request", field } });
  }
  expect((await weir.fetch("/admin/models/refused")).status).toBe(404);
});

test("only a version that is ready can be a fallback", async () => {
  await weir.models.makeVersion("falling", { upstream: UPSTREAM });
  const base = { model: "falling", files: FILES, placement: { pool: "cpu", dtype: "fp32" as const }, contentDigest: "c" };
  await weir.control.versions.append({ ...base, number: 2, state: "checking" }, 0, CHANGE);
  await weir.control.versions.append({ ...base, number: 3, state: "rejected", reason: "no" }, 0, CHANGE);
  const ask = (version: number) => weir.fetch("/admin/models/falling/uploads", { files: FILES, ...fallbackTo({ version }) });

  for (const [version, problem] of [
    [1, "falling@1 is a foreign engine"],
    [2, "falling@2 is checking"],
    [3, "falling@3 is rejected"],
    [4, "falling@4 does not exist"],
  ] as const) {
    expect((await ask(version)).json).toMatchObject({ error: { message: `${problem}; a fallback must be a version that is ready.` } });
  }
});

test("a name that no model can have is refused", async () => {
  const answer = await weir.fetch("/admin/models/Upper%20Case/uploads", { files: FILES, placement: PLACEMENT });

  expect(answer).toMatchObject({ status: 400, json: { error: { field: "name" } } });
});

test("what does not exist is not found", async () => {
  for (const path of ["none", "none/versions", "none/versions/1", "..%2Fx"]) {
    expect((await weir.fetch(`/admin/models/${path}`)).status).toBe(404);
  }
});

test("a foreign engine is a version at once, the same engine is the same version, and the first gets the traffic", async () => {
  const first = await weir.models.makeVersion("engines", { upstream: UPSTREAM, tenants: ["a"] });
  const again = await weir.models.makeVersion("engines", { upstream: UPSTREAM });
  const other = await weir.models.makeVersion("engines", { upstream: { ...UPSTREAM, credential: "WEIR_UPSTREAM_A" }, why: "with a key" });

  expect(first).toMatchObject({ number: 1, state: "upstream", upstream: UPSTREAM, revision: { number: 1 } });
  expect(again).toEqual(first);
  const throughout = await weir.models.makeVersion("engines", { upstream: { ...UPSTREAM, tellsUsageThroughout: true } });
  expect(other).toMatchObject({ number: 2, revision: { why: "with a key" } });
  expect(throughout).toMatchObject({ number: 3, upstream: { tellsUsageThroughout: true } });
  expect(await weir.models.makeVersion("engines", { upstream: { ...UPSTREAM, tellsUsageThroughout: false } })).toEqual(first);
  expect(await weir.models.show("engines")).toMatchObject({ live: 1, tenants: ["a"] });
  expect((await weir.fetch("/admin/models/engines/versions/4")).status).toBe(404);
});

test.each([
  [{ ...UPSTREAM, credential: "WEIR_UPSTREAM_UNSET" }, "the gateway's environment has no WEIR_UPSTREAM_UNSET."],
  [{ ...UPSTREAM, credential: "AWS_SECRET_ACCESS_KEY" }, ""],
  [{ ...UPSTREAM, url: "https://mine.example.com/v1", credential: "WEIR_UPSTREAM_A" }, "may be sent to http://127.0.0.1:8000, and not to"],
  [{ ...UPSTREAM, url: "http://127.0.0.1:8001/v1" }, "WEIR_ENGINE_ORIGINS"],
  [{ ...UPSTREAM, url: "http://169.254.169.254/latest/meta-data" }, "WEIR_ENGINE_ORIGINS"],
  [{ ...UPSTREAM, url: "https://[::ffff:127.0.0.1]:8000/v1" }, "must lead to a public address"],
  [{ ...UPSTREAM, url: "https://leads.nowhere.invalid/v1" }, "must lead to a public address"],
  [{ ...UPSTREAM, url: "file:///etc/passwd" }, ""],
  [{ ...UPSTREAM, url: "not a url" }, ""],
  [{ ...UPSTREAM, url: "http://user:secret@engine.test/v1" }, "no user, query or fragment"],
  [{ ...UPSTREAM, url: "http://engine.test/v1?api-version=1" }, "no user, query or fragment"],
])("an engine that the gateway could not or should not call is refused: %o", async (upstream, message) => {
  const answer = await weir.fetch("/admin/models/wrong-engine/versions", { upstream });

  expect(answer).toMatchObject({ status: 400, json: { error: { message: expect.stringContaining(message) } } });
  expect((await weir.fetch("/admin/models/wrong-engine")).status).toBe(404);
});

test("who may use a model is said when it is published, and changed on its own", async () => {
  await weir.models.makeVersion("shared-out", { upstream: UPSTREAM });
  const before = await weir.models.show("shared-out");

  const changed = await weir.models.change("shared-out", { tenants: ["a", "b"], why: "only these two" });
  await weir.models.makeVersion("shared-out", { upstream: UPSTREAM });

  expect(before.tenants).toBe("*");
  expect(changed).toMatchObject({ tenants: ["a", "b"], live: 1, revision: { number: 2, why: "only these two" } });
  expect((await weir.models.show("shared-out")).tenants).toEqual(["a", "b"]);
});

test("models and versions are listed page by page", async () => {
  for (const name of ["page-a", "page-b"]) await weir.models.makeVersion(name, { upstream: UPSTREAM });
  for (const model of ["m2", "m3"]) await weir.models.makeVersion("page-a", { upstream: { ...UPSTREAM, model } });

  const first = await weir.models.versions("page-a", { limit: 2 });
  const second = await weir.models.versions("page-a", { limit: 2, cursor: first.nextCursor });
  const models = await weir.models.list({ limit: 1 });

  expect([first, second].map(({ items }) => items.map(({ number }) => number))).toEqual([[3, 2], [1]]);
  expect(second.nextCursor).toBeUndefined();
  expect(models.items).toHaveLength(1);
  expect(models.nextCursor).toBeTypeOf("string");
  expect((await weir.fetch("/admin/models?limit=0")).status).toBe(400);
});

test("without intake the version waits as `checking`, the publisher is told to try again, and the next round takes it up", async () => {
  const other = await startPublishing();
  for (const { sha256 } of FILES) await other.s3.put(`incoming/${sha256}/00001`, "0123456789");
  await other.stopIntake();

  const answer = await other.fetch("/admin/models/waiting/versions", { files: FILES, placement: PLACEMENT });

  expect(answer).toMatchObject({ status: 503, json: { error: { code: "unavailable" } } });
  expect((await other.control.versions.current("waiting", 1))?.body.state).toBe("checking");
  expect((await other.tidy()).unfinished).toEqual([{ model: "waiting", number: 1 }]);
  await other.close();
});
