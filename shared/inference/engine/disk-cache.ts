import { createReadStream } from "node:fs";
import { link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Failure } from "../../base/failure.ts";
import type { VersionFile } from "../../models/version.ts";
import type { Chunks } from "./artefacts.s3.ts";
import { sha256Of, writeHashed } from "./hashed-file.ts";

/**
 * Versions' files on this machine's disk, under a limit of bytes: blobs by their hash, and a folder of hard links per version, because ONNX
 * Runtime wants weights beside their graph and versions often share files. What was there before the process started is hashed before it is
 * used, and fetched again if it is not what its name says. A blob gets its name only when it is whole.
 */
export type DiskCache = {
  /** A folder with these files under their paths, complete and checked. */
  readonly materialize: (name: string, files: readonly VersionFile[]) => Promise<string>;
  /** Doubts a folder whose content did not load: its files are hashed again before they are used again. */
  readonly doubt: (name: string) => void;
};

export type DiskCacheSettings = {
  readonly folder: string;
  readonly bytesMax: number;
  /** Bytes of a blob, or `undefined` if the store has none of that hash. */
  readonly download: (sha256: string) => Promise<Chunks | undefined>;
};

type Blob = { readonly bytes: number; usedAt: number; isVerified: boolean };
/** A version's folder; `users` are making it now, so it must not go. */
type Entry = { readonly files: readonly VersionFile[]; usedAt: number; users: number; isPlaced: boolean };

type State = {
  readonly settings: DiskCacheSettings;
  readonly blobs: Map<string, Blob>;
  readonly entries: Map<string, Entry>;
  /** Blobs on their way: a second caller waits for the first one's. */
  readonly arriving: Map<string, Promise<void>>;
  /** Counts uses; what has the lowest number was used longest ago. */
  uses: number;
};

const DOWNLOAD_ATTEMPTS_MAX = 2;
const PARTIAL = "partial-";

export async function openDiskCache(settings: DiskCacheSettings): Promise<DiskCache> {
  await rm(join(settings.folder, "versions"), { recursive: true, force: true });
  const state: State = { settings, blobs: await findBlobs(settings.folder), entries: new Map(), arriving: new Map(), uses: 0 };
  return {
    materialize: (name, files) => materialize(state, name, files),
    doubt: (name) => doubt(state, name),
  };
}

async function materialize(state: State, name: string, files: readonly VersionFile[]): Promise<string> {
  state.uses += 1;
  // Claimed before the first download, so that making room for one file does not take another of the same version.
  const entry = state.entries.get(name) ?? { files, usedAt: 0, users: 0, isPlaced: false };
  state.entries.set(name, entry);
  entry.users += 1;
  try {
    for (const file of files) await ensureBlob(state, file);
    const folder = folderOf(state, name);
    if (!entry.isPlaced) await placeAll(state, folder, files);
    entry.isPlaced = true;
    entry.usedAt = state.uses;
    return folder;
  } finally {
    entry.users -= 1;
    if (!entry.isPlaced && entry.users === 0) await removeEntry(state, name);
  }
}

function doubt({ blobs, entries }: State, name: string): void {
  const entry = entries.get(name);
  if (entry === undefined) return;
  entry.isPlaced = false;
  for (const { sha256 } of entry.files) {
    const blob = blobs.get(sha256);
    if (blob !== undefined) blob.isVerified = false;
  }
}

async function ensureBlob(state: State, file: VersionFile): Promise<void> {
  const blob = state.blobs.get(file.sha256);
  if (blob !== undefined) blob.usedAt = state.uses;
  if (blob?.isVerified) return;
  const arriving = state.arriving.get(file.sha256) ?? fetchUnlessSound(state, file);
  state.arriving.set(file.sha256, arriving);
  try {
    await arriving;
  } finally {
    state.arriving.delete(file.sha256);
  }
}

async function fetchUnlessSound(state: State, file: VersionFile): Promise<void> {
  const path = blobPath(state.settings.folder, file.sha256);
  const known = state.blobs.get(file.sha256);
  if (known !== undefined && (await sha256Of(createReadStream(path))) === file.sha256) {
    known.isVerified = true;
    return;
  }
  await removeBlob(state, file.sha256);
  await makeRoom(state, file.bytes);
  // Counted from now on, so that files that arrive at the same time do not count on the same room.
  const blob: Blob = { bytes: file.bytes, usedAt: state.uses, isVerified: false };
  state.blobs.set(file.sha256, blob);
  try {
    await fetchBlob(state.settings, file);
    blob.isVerified = true;
  } catch (error) {
    await removeBlob(state, file.sha256);
    throw error;
  }
}

async function fetchBlob({ folder, download }: DiskCacheSettings, file: VersionFile): Promise<void> {
  for (let attempt = 1; attempt <= DOWNLOAD_ATTEMPTS_MAX; attempt += 1) {
    const chunks = await download(file.sha256);
    if (chunks === undefined) throw new Failure("engine_failed", `The version's file ${file.path} is missing from the store.`);
    const partial = blobPath(folder, PARTIAL + file.sha256);
    const sha256 = await writeHashed(partial, chunks, file.bytes);
    if (sha256 === file.sha256) return rename(partial, blobPath(folder, file.sha256));
    await rm(partial, { force: true });
  }
  throw new Failure("engine_failed", `The store's copy of the version's file ${file.path} is not what was published.`);
}

/** Blobs that no folder uses go first, then the folder that was used longest ago. */
async function makeRoom(state: State, bytes: number): Promise<void> {
  const { blobs, entries, settings } = state;
  const usedBytes = () => [...blobs.values()].reduce((sum, blob) => sum + blob.bytes, 0);
  while (usedBytes() + bytes > settings.bytesMax) {
    const linked = new Set([...entries.values()].flatMap(({ files }) => files.map(({ sha256 }) => sha256)));
    const blob = leastUsed([...blobs].filter(([sha256]) => !linked.has(sha256)));
    const entry = leastUsed([...entries].filter(([, { users }]) => users === 0));
    if (blob !== undefined) await removeBlob(state, blob);
    else if (entry !== undefined) await removeEntry(state, entry);
    else throw new Failure("unavailable", `The version's files do not fit into the cache of ${settings.bytesMax} bytes now.`);
  }
}

function leastUsed(candidates: readonly (readonly [string, { readonly usedAt: number }])[]): string | undefined {
  return [...candidates].sort(([, a], [, b]) => a.usedAt - b.usedAt)[0]?.[0];
}

async function removeBlob({ blobs, settings }: State, sha256: string): Promise<void> {
  blobs.delete(sha256);
  await rm(blobPath(settings.folder, sha256), { force: true });
}

async function removeEntry(state: State, name: string): Promise<void> {
  state.entries.delete(name);
  await rm(folderOf(state, name), { recursive: true, force: true });
}

async function placeAll({ settings }: State, folder: string, files: readonly VersionFile[]): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const file of files) {
    const path = join(folder, file.path);
    await mkdir(dirname(path), { recursive: true });
    await link(blobPath(settings.folder, file.sha256), path);
  }
}

const blobPath = (folder: string, sha256: string) => join(folder, "blobs", sha256);
const folderOf = ({ settings }: State, name: string) => join(settings.folder, "versions", name);

async function findBlobs(folder: string): Promise<Map<string, Blob>> {
  const blobs = new Map<string, Blob>();
  await mkdir(join(folder, "blobs"), { recursive: true });
  for (const name of await readdir(join(folder, "blobs"))) {
    const path = blobPath(folder, name);
    if (name.startsWith(PARTIAL)) await rm(path, { force: true });
    else blobs.set(name, { bytes: (await stat(path)).size, usedAt: 0, isVerified: false });
  }
  return blobs;
}
