import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blobKey } from "../../shared/models/version.ts";
import { runCommand } from "../../test/harness/command.ts";
import { startPublishing, type TestPublishing } from "../../test/harness/publishing.ts";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures");
let publishing: TestPublishing;
beforeAll(async () => {
  publishing = await startPublishing();
});
afterAll(() => publishing.close());

const weir = (line: string) => runCommand(line.split(" "), { WEIR_URL: publishing.url, WEIR_KEY: publishing.operatorKey });

test("a folder is published, and published again without sending a byte", async () => {
  const first = await weir(`models publish ${FIXTURES}/models/tiny-bert-embed --name embed --tenants acme`);
  const again = await weir(`models publish ${FIXTURES}/models/tiny-bert-embed --name embed --json`);

  expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^embed@1 is ready \(0\.\d MB sent\)\n$/) });
  expect(first.err).toMatch(/^sending {2}0\.6 MB, 0\.6 MB of them to go$/m);
  expect(again.err).toBe("");
  expect(JSON.parse(again.out)).toMatchObject({ version: { number: 1, state: "ready" }, bytesSent: 0 });
  expect((await weir("models list")).out).toMatch(/^embed +1 +acme /m);
});

test("a rejected version ends with exit code 1 and its reason, and is shown with it", async () => {
  const published = await weir(`models publish ${FIXTURES}/bad-models/bad-labels --name labels`);

  expect(published).toMatchObject({ code: 1, out: "" });
  expect(published.err).toMatch(/^weir: labels@1 was rejected: config\.json names 5 labels/m);
  expect((await weir("models show labels")).out).toMatch(/^labels@1 +rejected .*names 5 labels/m);
});

test("a folder that cannot be a version is refused before anything is sent", async () => {
  const refused = await weir(`models publish ${FIXTURES}/bad-models/bad-external-escape --name escape`);

  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("which leaves its folder") });
  expect((await publishing.fetch("/admin/models/escape")).status).toBe(404);
});

test("a foreign engine becomes a version, and a version shows its settings", async () => {
  const made = await weir("models upstream engine --engine http://127.0.0.1:8000/v1 --engine-model llama --credential WEIR_UPSTREAM_A");
  const told = await weir("models upstream engine --engine http://127.0.0.1:8000/v1 --engine-model llama --continuous-usage --json");

  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^engine@1 +upstream +- +http:\/\/127\.0\.0\.1:8000\/v1 /m) });
  expect(JSON.parse((await weir("models show engine@1 --json")).out)).toMatchObject({ upstream: { model: "llama" } });
  expect(JSON.parse(told.out)).toMatchObject({ number: 2, upstream: { tellsUsageThroughout: true } });
});

test("a version is shown with the digests of its files", async () => {
  await weir(`models publish ${FIXTURES}/models/tiny-bert-sentiment --name digests`);

  expect((await weir("models show digests@1")).out).toMatch(/^config\.json +768 +[0-9a-f]{64}$/m);
});

test("a version's stored bytes are read again, and a damaged one is named", async () => {
  await weir(`models publish ${FIXTURES}/models/tiny-bert-sentiment --name sound`);
  const sound = await weir("models verify sound@1");
  const { files } = await publishing.models.content("sound", 1);
  const graph = files.find(({ path }) => path === "onnx/model.onnx");
  await publishing.s3.put(blobKey(graph?.sha256 ?? ""), randomBytes(graph?.bytes ?? 0));

  const damaged = await weir("models verify sound@1");

  expect(sound).toMatchObject({ code: 0, out: expect.stringMatching(/^\(manifest\) +\d+ {2}sound$/m) });
  expect(sound.out).not.toContain("DAMAGED");
  expect(damaged).toMatchObject({ code: 1, err: expect.stringContaining("sound@1 is damaged in the store.") });
  expect(damaged.out.match(/DAMAGED/g)).toHaveLength(1);
  expect(damaged.out).toMatch(/^onnx\/model\.onnx +\d+ {2}DAMAGED$/m);
});

test("a version's fallbacks are sent with it, shown in their order, and make it a version of its own", async () => {
  const publish = (more: string) => weir(`models publish ${FIXTURES}/models/tiny-bert-embed --name fallen${more}`);
  const tooEarly = await publish(" --fallback cpu/q8 --fallback @1");
  await publish("");

  const fallen = await publish(" --fallback cpu/q8 --fallback @1");

  expect(tooEarly).toMatchObject({
    code: 1,
    err: expect.stringContaining("fallen@1 does not exist; a fallback must be a version that is ready."),
  });
  expect(fallen).toMatchObject({ code: 0, out: "fallen@2 is ready (everything was there already)\n" });
  const shown = (await weir("models show fallen")).out;
  expect(shown).toMatch(/^fallen@2 +ready +embed +cpu fp32, else cpu\/q8, else @1 /m);
  expect(shown).toMatch(/^fallen@1 +ready, live +embed +cpu fp32 +\d/m);
  expect((await weir("models show fallen@2")).out).toMatch(/^q8 +0\.\d+ +0\.9\d+ *$/m);
});

test("a version whose fallback would answer something else is rejected with the reason", async () => {
  await weir(`models publish ${FIXTURES}/models/tiny-bert-embed --name mixed`);

  const mixed = await weir(`models publish ${FIXTURES}/models/tiny-bert-toxic --name mixed --fallback @1`);

  expect(mixed).toMatchObject({
    code: 1,
    err: expect.stringContaining("mixed@2 was rejected: mixed@1 cannot be a fallback: it does not do 'classify'"),
  });
});

test("a fallback to a file that the folder does not have is refused before anything is sent", async () => {
  const refused = await weir(`models publish ${FIXTURES}/models/tiny-bert-embed --name unfallen --fallback cpu/q4`);

  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("there is no graph for q4") });
});

test.each([
  "models verify m",
  "models publish .",
  "models publish . --name m --dtype fp64",
  "models publish . --name m --fallback cpu",
  "models publish . --name m --fallback @0",
  "models publish",
  "models upstream m",
])("`weir %s` is not understood: exit code 2", async (line) => {
  expect((await weir(line)).code).toBe(2);
});
