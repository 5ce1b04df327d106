import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scanFolder } from "./folder.disk.ts";
import { checkFolder, dtypesIn, type Folder } from "./folder.ts";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures");
const sentiment = await scanFolder(join(FIXTURES, "models/tiny-bert-sentiment"));
const external = await scanFolder(join(FIXTURES, "models/tiny-bert-external"));

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weir-folder-"));
});
afterEach(() => rm(root, { recursive: true }));

async function put(path: string, text: string) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

function without(folder: Folder, path: string): Folder {
  return { ...folder, files: new Map([...folder.files].filter(([each]) => each !== path)) };
}

function withBytes(folder: Folder, path: string, bytes: Uint8Array): Folder {
  return {
    files: new Map(folder.files).set(path, bytes.length),
    readAt: async (each, offset, length) => (each === path ? bytes.subarray(offset, offset + length) : folder.readAt(each, offset, length)),
  };
}

test("a whole folder is accepted, with its weights inside the graph or beside it", async () => {
  await checkFolder(sentiment, "fp32");
  await checkFolder(external, "fp32");

  expect(external.files.get("onnx/model.onnx_data")).toBeGreaterThan(400_000);
});

test.each(["config.json", "tokenizer.json"])("a folder without its %s is refused by that name", async (path) => {
  await expect(checkFolder(without(sentiment, path), "fp32")).rejects.toMatchObject({
    code: "invalid_request",
    field: path,
    message: `${path} is missing.`,
  });
});

test("a folder without a graph for the dtype is refused and both places are named", async () => {
  await expect(checkFolder(sentiment, "q8")).rejects.toThrow("onnx/model_quantized.onnx or model_quantized.onnx is missing");
});

test("a file of weights that the graph names must be there", async () => {
  const folder = without(external, "onnx/model.onnx_data");

  await expect(checkFolder(folder, "fp32")).rejects.toThrow("onnx/model.onnx_data is missing: onnx/model.onnx reads weights from it.");
});

test("a graph that reads weights outside of its folder is refused", async () => {
  const folder = await scanFolder(join(FIXTURES, "bad-models/bad-external-escape"));

  await expect(checkFolder(folder, "fp32")).rejects.toThrow("'../../../../../../../../etc/passwd', which leaves its folder");
});

test("a graph that is cut off is refused before it is sent", async () => {
  const folder = await scanFolder(join(FIXTURES, "bad-models/bad-truncated"));

  await expect(checkFolder(folder, "fp32")).rejects.toThrow("onnx/model.onnx cannot be read: it is not a whole ONNX graph");
});

test.each([
  ["nothing", new Uint8Array()],
  ["text", Buffer.from("<!doctype html><title>404</title>")],
  ["a length beyond its end", Uint8Array.from([0x3a, 0xff, 0xff, 0xff, 0x7f])],
  ["an endless number", new Uint8Array(64).fill(0xff)],
])("a graph that holds %s is refused", async (_, bytes) => {
  await expect(checkFolder(withBytes(sentiment, "onnx/model.onnx", bytes), "fp32")).rejects.toThrow("is not a whole ONNX graph");
});

test("a configuration that is no JSON object is refused", async () => {
  await expect(checkFolder(withBytes(sentiment, "config.json", Buffer.from("[1]")), "fp32")).rejects.toThrow(
    "config.json is not a JSON object.",
  );
});

test("a folder's dtypes are those of its graphs, wherever they lie", async () => {
  const paths = new Set(["onnx/model_quantized.onnx", "model.onnx", "onnx/decoder_model.onnx"]);

  expect(dtypesIn(paths)).toEqual(["fp32", "q8"]);
});

test("hidden files are left out and folders are walked", async () => {
  await put("onnx/model.onnx", "graph");
  await put("empty", "");
  await put(".git/config", "secret");

  expect(Object.fromEntries((await scanFolder(root)).files)).toEqual({ "onnx/model.onnx": 5, empty: 0 });
});

test("a link is followed inside the folder and refused when it leads out of it", async () => {
  await put("real.json", "{}");
  await symlink("real.json", join(root, "config.json"));
  expect((await scanFolder(root)).files.get("config.json")).toBe(2);

  await symlink("/etc/hostname", join(root, "vocab.txt"));

  await expect(scanFolder(root)).rejects.toThrow("vocab.txt is a link that leaves the folder.");
});

test("what is no folder is refused", async () => {
  await expect(scanFolder(join(root, "nothing"))).rejects.toThrow("is not a folder");
});
