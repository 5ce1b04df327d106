import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { link, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type BlobStore, type Chunks, type Content, partsOf, type ReadPart } from "../../shared/models/blob-store.ts";
import { contentsOf } from "../../shared/models/publication.ts";
import { runBounded } from "../../shared/models/run-bounded.ts";
import type { VersionFile } from "../../shared/models/version.ts";
import { rejection } from "./rejection.ts";

const FETCHES_AT_ONCE = 4;
/** Another check of the same bytes may promote them while this one reads; then they are read again from where they went. */
const FETCH_ATTEMPTS_MAX = 3;

export type Fetch = { readonly blobs: BlobStore; readonly folder: string; readonly signal: AbortSignal };

/** Brings a version's files into a folder, hashes every byte on the way, and makes trusted blobs of those that have just arrived. */
export async function fetchFolder(fetch: Fetch, files: readonly VersionFile[]): Promise<void> {
  await runBounded(contentsOf(files), FETCHES_AT_ONCE, async (content) => {
    const [first, ...others] = files.filter((file) => file.sha256 === content.sha256).map((file) => file.path);
    if (first === undefined) return;
    await placeFile(fetch, content, first);
    for (const path of others) await linkFile(fetch.folder, first, path);
  });
}

async function placeFile(fetch: Fetch, content: Content, path: string): Promise<void> {
  await mkdir(dirname(join(fetch.folder, path)), { recursive: true });
  let reason = `${path} has not arrived whole. Publish again to send what is missing.`;
  for (let attempt = 0; attempt < FETCH_ATTEMPTS_MAX; attempt += 1) {
    const blob = await placeBlob(fetch, content, path);
    if (blob === "placed") return;
    if (blob === "damaged") {
      // Bytes that are not what their name says are of no use to any version; without them the next publication sends them anew.
      await fetch.blobs.removeBlob(content.sha256);
      reason = `${path} was damaged in the store. Publish again to send it anew.`;
    }
    if (await placeArrival(fetch, content, path)) return;
  }
  throw rejection(reason);
}

async function placeBlob({ blobs, folder, signal }: Fetch, content: Content, path: string): Promise<"placed" | "missing" | "damaged"> {
  const chunks = await blobs.readBlob(content.sha256, signal);
  if (chunks === undefined) return "missing";
  const saved = await save(chunks, { path: join(folder, path), bytesMax: content.bytes, signal });
  return saved === content.sha256 ? "placed" : "damaged";
}

async function placeArrival({ blobs, folder, signal }: Fetch, content: Content, path: string): Promise<boolean> {
  const parts: ReadPart[] = [];
  const arrival = { blobs, content, signal, parts };
  const saved = await save(readParts(arrival), { path: join(folder, path), bytesMax: content.bytes, signal });
  if (parts.length < partsOf(content.bytes).length) return false;
  if (saved !== content.sha256) {
    await blobs.removeParts(content.sha256);
    throw rejection(
      `${path} is not what was announced: the bytes that arrived have SHA-256 ${saved}, not ${content.sha256}. Publish again.`,
    );
  }
  if (!(await blobs.promote(content.sha256, parts))) return false;
  await blobs.removeParts(content.sha256);
  return true;
}

type Arrival = { readonly blobs: BlobStore; readonly content: Content; readonly signal: AbortSignal; readonly parts: ReadPart[] };

/** The bytes of all parts in order; ends early if one is not there. Notes in `parts` which ones were read. */
async function* readParts({ blobs, content, signal, parts }: Arrival): Chunks {
  for (const { number } of partsOf(content.bytes)) {
    const part = await blobs.readPart(content.sha256, number, signal);
    if (part === undefined) return;
    yield* part.chunks;
    parts.push({ number, tag: part.tag });
  }
}

/** Writes a file and says the SHA-256 of its bytes; stops after one byte too many, since that digest is wrong already. */
async function save(chunks: Chunks, to: { path: string; bytesMax: number; signal: AbortSignal }): Promise<string> {
  const hash = createHash("sha256");
  const hashed = async function* () {
    let bytes = 0;
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes > to.bytesMax) return;
      yield chunk;
    }
  };
  await pipeline(hashed, createWriteStream(to.path), { signal: to.signal });
  return hash.digest("hex");
}

async function linkFile(folder: string, from: string, to: string): Promise<void> {
  await mkdir(dirname(join(folder, to)), { recursive: true });
  await link(join(folder, from), join(folder, to));
}
