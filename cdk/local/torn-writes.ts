import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import * as z from "zod";

const META = ".meta.json";

/** What fauxqs writes beside the data of an object, and beside that of a part of an upload. */
const ObjectMeta = z.object({ key: z.string(), contentLength: z.int() });
const PartMeta = z.object({ partNumber: z.int(), etag: z.string() });

/**
 * Takes out of fauxqs' folder what a kill left half written, since one such file keeps it from ever starting again.
 * fauxqs writes the data, then its description, and acknowledges then: what is torn was never acknowledged, or was being overwritten.
 * Returns the paths of the descriptions that went.
 */
export function dropTornWrites(dir: string): string[] {
  const torn = filesBelow(dir).filter((path) => isDescription(path) && !isWhole(path));
  for (const path of torn) {
    rmSync(path);
    if (path.endsWith(META)) rmSync(dataPathOf(path), { force: true });
  }
  return torn;
}

function filesBelow(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function isDescription(path: string): boolean {
  return path.endsWith(META) || basename(path) === ".upload.json" || basename(path) === ".bucket.json";
}

function isWhole(path: string): boolean {
  const description = readJson(path);
  if (!path.endsWith(META)) return description !== undefined;
  const dataPath = dataPathOf(path);
  const object = ObjectMeta.safeParse(description).data;
  if (object !== undefined) return statSync(dataPath, { throwIfNoEntry: false })?.size === object.contentLength;
  const part = PartMeta.safeParse(description).data;
  return part !== undefined && existsSync(dataPath) && part.etag === `"${md5Of(dataPath)}"`;
}

const dataPathOf = (path: string) => `${path.slice(0, -META.length)}.data`;

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function md5Of(path: string): string {
  return createHash("md5").update(readFileSync(path)).digest("hex");
}
