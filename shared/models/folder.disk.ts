import { open, opendir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { Failure } from "../base/failure.ts";
import type { Folder } from "./folder.ts";
import { FILE_COUNT_MAX } from "./version.ts";

/**
 * Looks through a folder on disk. Hidden files and folders (`.git`, `.cache`) are not part of a model. A link is followed inside the folder
 * and refused if it leads out of it, so that a folder from elsewhere cannot publish this machine's other files.
 */
export async function scanFolder(root: string): Promise<Folder> {
  const realRoot = await realFolder(root);
  const files = new Map<string, number>();
  for await (const entry of await opendir(realRoot, { recursive: true })) {
    const path = relative(realRoot, join(entry.parentPath, entry.name)).split(sep).join("/");
    if (isHidden(path) || entry.isDirectory()) continue;
    files.set(path, await bytesOfFile(realRoot, path));
    if (files.size > FILE_COUNT_MAX) throw new Failure("invalid_request", `The folder has more than ${FILE_COUNT_MAX} files.`);
  }
  return { files, readAt: (path, offset, length) => readAt(join(realRoot, path), offset, length) };
}

async function realFolder(root: string): Promise<string> {
  const found = await stat(root).catch(() => undefined);
  if (!found?.isDirectory()) throw new Failure("invalid_request", `'${root}' is not a folder.`);
  return realpath(root);
}

function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith("."));
}

async function bytesOfFile(root: string, path: string): Promise<number> {
  const target = await realpath(join(root, path)).catch(() => undefined);
  if (target === undefined || !target.startsWith(root + sep)) throw refused(path, "is a link that leaves the folder");
  const found = await stat(target);
  if (!found.isFile()) throw refused(path, "is not an ordinary file");
  return found.size;
}

function refused(path: string, why: string): Failure {
  return new Failure("invalid_request", `${path} ${why}.`, { field: path });
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await file.read(bytes, 0, length, offset);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
