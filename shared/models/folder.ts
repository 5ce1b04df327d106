import { Failure } from "../base/failure.ts";
import { externalLocationsOf } from "./onnx-external-data.ts";
import { Dtype, FILE_COUNT_MAX, FilePath } from "./version.ts";

/** A model's folder as it lies on some disk: the publisher's before the upload, intake's after it. */
export type Folder = {
  /** Bytes of each file by its path. */
  readonly files: ReadonlyMap<string, number>;
  readonly readAt: (path: string, offset: number, length: number) => Promise<Uint8Array>;
};

/** What the Hugging Face layout adds to `model` for each dtype (transformers.js, `dtype` to file suffix). */
const SUFFIX = {
  fp32: "",
  fp16: "_fp16",
  q8: "_quantized",
  int8: "_int8",
  uint8: "_uint8",
  q4: "_q4",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
  q2: "_q2",
  q2f16: "_q2f16",
  q1: "_q1",
  q1f16: "_q1f16",
} as const satisfies Record<Dtype, string>;

export const CONFIG_FILE = "config.json";
export const TOKENIZER_FILE = "tokenizer.json";

/** A configuration or tokenizer file may be this large, in bytes; the largest known tokenizers have about 35 MB. */
const JSON_BYTES_MAX = 128 * 1024 ** 2;

/** The graphs of a dtype, as transformers.js' converter and optimum place them. */
export function graphPathsOf(dtype: Dtype): readonly string[] {
  const name = `model${SUFFIX[dtype]}.onnx`;
  return [`onnx/${name}`, name];
}

export function graphPathIn(paths: ReadonlySet<string> | ReadonlyMap<string, unknown>, dtype: Dtype): string | undefined {
  return graphPathsOf(dtype).find((path) => paths.has(path));
}

/** The dtypes that a folder has graphs for, the most exact first. */
export function dtypesIn(paths: ReadonlySet<string> | ReadonlyMap<string, unknown>): Dtype[] {
  return Dtype.options.filter((dtype) => graphPathIn(paths, dtype) !== undefined);
}

/**
 * Checks that a folder can be a version: its configuration, tokenizer and graph are there and readable, and every file of weights that the
 * graph names belongs to the folder. Fails with `invalid_request` and the file's name. What only running it can show is left to intake.
 */
export async function checkFolder(folder: Folder, dtype: Dtype): Promise<void> {
  if (folder.files.size > FILE_COUNT_MAX) throw wrong("", `the folder has ${folder.files.size} files, and ${FILE_COUNT_MAX} are allowed`);
  for (const path of folder.files.keys()) checkPath(path);
  checkPaths(folder.files, dtype);
  await checkJson(folder, CONFIG_FILE);
  await checkJson(folder, TOKENIZER_FILE);
  await checkGraph(folder, dtype);
}

/** The part of it that the names alone tell. */
export function checkPaths(paths: ReadonlySet<string> | ReadonlyMap<string, unknown>, dtype: Dtype): void {
  for (const path of [CONFIG_FILE, TOKENIZER_FILE]) if (!paths.has(path)) throw wrong(path, `${path} is missing`);
  if (graphPathIn(paths, dtype) !== undefined) return;
  throw wrong(graphPathsOf(dtype)[0], `there is no graph for ${dtype}: ${graphPathsOf(dtype).join(" or ")} is missing`);
}

function checkPath(path: string) {
  const parsed = FilePath.safeParse(path);
  if (!parsed.success) throw wrong(path, `'${path}': ${parsed.error.issues[0]?.message}`);
}

async function checkJson(folder: Folder, path: string): Promise<void> {
  const bytes = folder.files.get(path) ?? 0;
  if (bytes > JSON_BYTES_MAX) throw wrong(path, `${path} is larger than ${JSON_BYTES_MAX / 1024 ** 2} MiB`);
  const text = Buffer.from(await folder.readAt(path, 0, bytes)).toString("utf8");
  if (!isJsonObject(text)) throw wrong(path, `${path} is not a JSON object`);
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false; // whatever is wrong with it, it is no JSON object
  }
}

async function checkGraph(folder: Folder, dtype: Dtype): Promise<void> {
  const path = graphPathIn(folder.files, dtype);
  if (path === undefined)
    throw wrong(graphPathsOf(dtype)[0], `there is no graph for ${dtype}: ${graphPathsOf(dtype).join(" or ")} is missing`);
  for (const location of await locationsOf(folder, path)) {
    const place = path.slice(0, path.lastIndexOf("/") + 1) + location;
    if (!FilePath.safeParse(place).success) throw wrong(path, `${path} reads weights from '${location}', which leaves its folder`);
    if (!folder.files.has(place)) throw wrong(place, `${place} is missing: ${path} reads weights from it`);
  }
}

async function locationsOf(folder: Folder, path: string): Promise<string[]> {
  try {
    return await externalLocationsOf((offset, length) => folder.readAt(path, offset, length), folder.files.get(path) ?? 0);
  } catch (cause) {
    throw cause instanceof Failure ? wrong(path, `${path} cannot be read: ${cause.message}`) : cause;
  }
}

function wrong(field: string | undefined, message: string): Failure {
  return new Failure("invalid_request", `${message}.`, field ? { field } : {});
}
