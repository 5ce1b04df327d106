import { createHash } from "node:crypto";
import { Failure } from "../base/failure.ts";
import { runBounded } from "../models/run-bounded.ts";
import { Manifest, type VersionFile } from "../models/version.ts";
import type { ModelsClient } from "./models.ts";
import { patiently } from "./patiently.ts";

const FILES_AT_ONCE = 4;
const FILE_TIMEOUT_MS = 3_600_000;

/** What reading a version's stored bytes again has shown, file by file; the manifest is among them. */
export type Verification = { readonly files: readonly VerifiedFile[]; readonly isSound: boolean };
export type VerifiedFile = { readonly path: string; readonly bytes: number; readonly isSound: boolean };

/**
 * Reads every byte of a ready version from the object store and hashes it here, on this machine: against the manifest, whose own digest the version
 * names, and against the file list that the admin API shows.
 */
export async function verifyVersion(models: ModelsClient, model: string, number: number): Promise<Verification> {
  const { manifest, files } = await models.content(model, number);
  const stored = await patiently(() => read(manifest.url));
  const isListed = stored.sha256 === manifest.digest && isSameList(stored.text, files);
  const verified: VerifiedFile[] = [{ path: "(manifest)", bytes: stored.bytes, isSound: isListed }];
  await runBounded(files, FILES_AT_ONCE, async ({ path, bytes, sha256, url }) => {
    const found = await patiently(() => hash(url));
    verified.push({ path, bytes: found.bytes, isSound: found.sha256 === sha256 && found.bytes === bytes });
  });
  return { files: verified.sort((a, b) => (a.path < b.path ? -1 : 1)), isSound: verified.every(({ isSound }) => isSound) };
}

function isSameList(manifest: string, files: readonly VersionFile[]): boolean {
  const listOf = (each: readonly VersionFile[]) => each.map(({ path, sha256, bytes }) => `${path} ${sha256} ${bytes}`).sort();
  return listOf(Manifest.parse(JSON.parse(manifest)).files).join("\n") === listOf(files).join("\n");
}

async function read(url: string): Promise<{ text: string; bytes: number; sha256: string }> {
  const chunks: Uint8Array[] = [];
  const found = await hash(url, (chunk) => chunks.push(chunk));
  return { ...found, text: Buffer.concat(chunks).toString("utf8") };
}

/** A file that is not there has no bytes and no digest. */
async function hash(url: string, onChunk: (chunk: Uint8Array) => void = () => {}): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash("sha256");
  let bytes = 0;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(FILE_TIMEOUT_MS) });
    if (answer.status === 404) return { bytes: 0, sha256: "" };
    if (!answer.ok) throw new Error(`the object store answered ${answer.status}`);
    for await (const chunk of answer.body ?? []) {
      digest.update(chunk);
      bytes += chunk.length;
      onChunk(chunk);
    }
  } catch (cause) {
    throw new Failure("unavailable", `The object store cannot be read (${cause instanceof Error ? cause.message : cause}).`, { cause });
  }
  return { bytes, sha256: digest.digest("hex") };
}
