import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type * as z from "zod";
import { Failure } from "../../base/failure.ts";

/** No configuration comes near it; the largest hold ten thousand added tokens. */
export const CONFIG_BYTES_MAX = 16 * 1024 ** 2;
/** A vocabulary of a quarter of a million tokens with its merges takes 35 MB. */
export const TOKENIZER_BYTES_MAX = 96 * 1024 ** 2;
export const TEMPLATE_BYTES_MAX = 1024 ** 2;

/** Reads one of a model's files as JSON; undefined if there is none. Fails with `invalid_request`, naming the file, if it is not what it should be. */
export async function readJson<T>(folder: string, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readText(folder, path, path === "tokenizer.json" ? TOKENIZER_BYTES_MAX : CONFIG_BYTES_MAX);
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(jsonOf(text, path));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unfit(path, `${issue?.path.join(".")}: ${issue?.message}`);
}

export async function readText(folder: string, path: string, bytesMax: number): Promise<string | undefined> {
  const file = join(folder, path);
  const found = await stat(file).catch(unlessMissing);
  if (found === undefined) return undefined;
  if (found.size > bytesMax) throw unfit(path, `it has ${found.size} bytes, and at most ${bytesMax} are read`);
  return readFile(file, "utf8");
}

export function required<T>(path: string, value: T | undefined): T {
  if (value === undefined) throw unfit(path, "it is missing");
  return value;
}

/** Why a folder cannot be served, with the file that says so. */
export function unfit(path: string, why: string): Failure {
  return new Failure("invalid_request", `${path}: ${why}.`, { field: path });
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Failure("invalid_request", `${path} is not JSON.`, { field: path, cause });
  }
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
