import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { folderOf } from "../../../test/harness/inference.ts";
import { sha256Hex } from "../../base/hash.ts";
import { scanFolder } from "../../models/folder.disk.ts";
import { blobKey, type Manifest, manifestKey } from "../../models/version.ts";
import { createThreadCoders } from "./coder-thread.ts";
import { openDiskCache } from "./disk-cache.ts";
import { createModels, type Models } from "./models.ts";

let cacheFolder: string;
let store: Map<string, Uint8Array>;
let reads: string[];
const coders = createThreadCoders({ threads: 1 });
afterAll(() => coders.close());

beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "weir-models-"));
  store = new Map();
  reads = [];
});
afterEach(() => rm(cacheFolder, { recursive: true }));

test("of a version's graphs only the asked one is fetched, and once for all who wait", async () => {
  const models = await open();
  const digest = await publish("test/fixtures/models/tiny-bert-embed");

  const [one, other] = await Promise.all([models.open(digest, "q8"), models.open(digest, "q8")]);

  expect(other).toBe(one);
  expect(await readdir(join(one.graph.path, ".."))).toEqual(["model_quantized.onnx"]);
  expect(one.graph).toMatchObject({ weightBytes: 170_418, padId: 0, poolings: ["mean"], isBatched: false });
  expect(new Set(reads).size).toBe(reads.length);
});

test("weights beside their graph come with it", async () => {
  const models = await open();
  const digest = await publish("test/fixtures/models/tiny-bert-external");

  const { graph } = await models.open(digest, "fp32");

  expect((await readdir(join(graph.path, ".."))).length).toBeGreaterThan(1);
});

test("a missing, changed or unusable version is engine_failed, and may be whole the next time", async () => {
  const models = await open();
  const digest = await publish("test/fixtures/models/tiny-bert-embed");
  const manifest = store.get(manifestKey(digest)) ?? new Uint8Array();

  store.delete(manifestKey(digest));
  await expect(models.open(digest, "fp32")).rejects.toMatchObject({ code: "engine_failed", message: expect.stringContaining("missing") });
  store.set(manifestKey(digest), Buffer.from(`${manifest} `));
  await expect(models.open(digest, "fp32")).rejects.toMatchObject({
    code: "engine_failed",
    message: expect.stringContaining("not what was published"),
  });
  store.set(manifestKey(digest), manifest);
  await expect(models.open(digest, "int8")).rejects.toMatchObject({
    code: "engine_failed",
    message: expect.stringContaining("no graph for int8"),
  });

  expect(await models.open(digest, "fp32")).toMatchObject({ facts: { head: "embed" } });
});

async function open(): Promise<Models> {
  const read = async (key: string) => {
    reads.push(key);
    const bytes = store.get(key);
    return bytes && once(bytes);
  };
  const disk = await openDiskCache({ folder: cacheFolder, bytesMax: 10e6, download: (sha256) => read(blobKey(sha256)) });
  return createModels({ artefacts: { read }, disk, coders });
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}

async function publish(path: string): Promise<string> {
  const folder = folderOf(path);
  const files: Manifest["files"] = [];
  for (const path of (await scanFolder(folder)).files.keys()) {
    const bytes = await readFile(join(folder, path));
    const sha256 = sha256Hex(bytes);
    store.set(blobKey(sha256), bytes);
    files.push({ path, bytes: bytes.length, sha256 });
  }
  const graph = { inputs: [], outputs: [{ name: "last_hidden_state", type: "float32", dims: [-1, -1, 48] }] };
  const facts: Manifest["facts"] = { head: "embed", family: "bert", tokensMax: 48, dtypes: ["fp32"], graph };
  const manifest: Manifest = { schema: 1, model: "bert", number: 1, contentDigest: "c", files, facts };
  const text = JSON.stringify(manifest);
  store.set(manifestKey(sha256Hex(text)), Buffer.from(text));
  return sha256Hex(text);
}
