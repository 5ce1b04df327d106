import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { Failure } from "../../base/failure.ts";
import type { Chunks } from "./artefacts.s3.ts";

const RETRY_AFTER_MS = 1_000;

/** Writes a file and answers with its SHA-256; what is longer than it should be is not written to its end. Fails with `unavailable`, and leaves no file. */
export async function writeHashed(path: string, chunks: Chunks, bytesMax: number): Promise<string> {
  try {
    return await write(path, chunks, bytesMax);
  } catch (cause) {
    await rm(path, { force: true });
    // A connection that broke or a full disk: both may be over soon.
    throw new Failure("unavailable", "The version's files cannot be fetched now.", { cause, retryAfterMs: RETRY_AFTER_MS });
  }
}

export async function sha256Of(chunks: Chunks): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

async function write(path: string, chunks: Chunks, bytesMax: number): Promise<string> {
  const file = await open(path, "w");
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) break;
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    return hash.digest("hex");
  } finally {
    await file.close();
  }
}
