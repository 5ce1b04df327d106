import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Hex } from "../../base/hash.ts";
import type { VersionFile } from "../../models/version.ts";
import { openDiskCache } from "./disk-cache.ts";

let folder: string;
let store: Map<string, string>;
let downloads: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-cache-"));
  store = new Map();
  downloads = [];
});
afterEach(() => rm(folder, { recursive: true }));

test("a version's files lie under their paths, and shared ones are fetched once", async () => {
  const cache = await open();
  const weights = publish("onnx/model.onnx", "weights");

  const [first, second] = await Promise.all([
    cache.materialize("v1", [weights, publish("config.json", "one")]),
    cache.materialize("v2", [weights, publish("config.json", "two")]),
  ]);

  expect(await readFile(join(first, "onnx/model.onnx"), "utf8")).toBe("weights");
  expect(await readFile(join(second, "config.json"), "utf8")).toBe("two");
  expect(downloads.filter((content) => content === "weights")).toHaveLength(1);
});

test("what was there before the start is used again if it is what its name says", async () => {
  const file = publish("model.onnx", "weights");
  await (await open()).materialize("v1", [file]);

  const again = await (await open()).materialize("v1", [file]);

  expect(await readFile(join(again, "model.onnx"), "utf8")).toBe("weights");
  expect(downloads).toEqual(["weights"]);
});

test("a file that was changed on disk is noticed and fetched again, after a start and after doubt", async () => {
  const file = publish("model.onnx", "weights");
  const cache = await open();
  await cache.materialize("v1", [file]);

  await writeFile(join(folder, "blobs", file.sha256), "weighty");
  cache.doubt("v1");
  const doubted = await cache.materialize("v1", [file]);
  expect(await readFile(join(doubted, "model.onnx"), "utf8")).toBe("weights");

  await writeFile(join(folder, "blobs", file.sha256), "weight");
  const restarted = await (await open()).materialize("v1", [file]);
  expect(await readFile(join(restarted, "model.onnx"), "utf8")).toBe("weights");
  expect(downloads).toEqual(["weights", "weights", "weights"]);
});

test("content that is not what its name says is engine_failed and leaves nothing", async () => {
  const cache = await open();
  const file = publish("model.onnx", "weights");
  store.set(file.sha256, "garbage");

  await expect(cache.materialize("v1", [file])).rejects.toMatchObject({
    code: "engine_failed",
    message: expect.stringContaining("model.onnx"),
  });
  expect(await readdir(join(folder, "blobs"))).toEqual([]);

  store.set(file.sha256, "weights");
  await cache.materialize("v1", [file]);
});

test("a missing file is engine_failed, a connection that breaks is unavailable and leaves no half file", async () => {
  const cache = await open();
  const [missing, broken] = [publish("a.onnx", "a"), publish("b.onnx", BROKEN)];
  store.delete(missing.sha256);

  await expect(cache.materialize("v1", [missing])).rejects.toMatchObject({ code: "engine_failed" });
  await expect(cache.materialize("v2", [broken])).rejects.toMatchObject({ code: "unavailable" });
  expect(await readdir(join(folder, "blobs"))).toEqual([]);
});

test("under its limit, the version that was used longest ago goes", async () => {
  const cache = await open(20);
  const files = ["a", "b", "c"].map((name) => publish(`${name}.onnx`, name.repeat(8)));
  const [a, b, c] = files as [VersionFile, VersionFile, VersionFile]; // three names above
  await cache.materialize("a", [a]);
  await cache.materialize("b", [b]);
  await cache.materialize("a", [a]);

  await cache.materialize("c", [c]);

  expect((await readdir(join(folder, "versions"))).sort()).toEqual(["a", "c"]);
  expect((await readdir(join(folder, "blobs"))).sort()).toEqual([a.sha256, c.sha256].sort());
});

test("a version that cannot fit is unavailable", async () => {
  const cache = await open(5);

  await expect(cache.materialize("a", [publish("a.onnx", "123456")])).rejects.toMatchObject({ code: "unavailable" });
});

const BROKEN = "broken";

function open(bytesMax = 1_000) {
  return openDiskCache({
    folder,
    bytesMax,
    download: async (sha256) => {
      const content = store.get(sha256);
      if (content === undefined) return undefined;
      downloads.push(content);
      return stream(content);
    },
  });
}

async function* stream(content: string) {
  yield Buffer.from(content.slice(0, 2));
  if (content === BROKEN) throw new Error("ECONNRESET");
  yield Buffer.from(content.slice(2));
}

function publish(path: string, content: string): VersionFile {
  const sha256 = sha256Hex(content);
  store.set(sha256, content);
  return { path, bytes: content.length, sha256 };
}
