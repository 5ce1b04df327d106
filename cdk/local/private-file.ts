import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { z } from "zod";
import { refusingTrouble, StartRefusal, systemCodeOf } from "./refusal.ts";

const RESTORE = "restore it from a copy, or delete the state folder to start from nothing";

/** Writes a small file whole or not at all, for its owner's eyes only. There is one writer: the holder of the state's lock. */
export function writePrivateJson(path: string, value: unknown): void {
  refusingTrouble(dirname(path), () => writeWhole(path, `${JSON.stringify(value, undefined, 2)}\n`));
}

/** Reads such a file; undefined if there is none, refused if it is not what was written. */
export function readPrivateJson<T>(path: string, schema: z.ZodType<T>, remedy = RESTORE): T | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new StartRefusal(`${path} is damaged: ${remedy}`, { cause: parsed.error });
}

function writeWhole(path: string, text: string) {
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** What is not JSON becomes undefined, which no schema of a private file accepts. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
