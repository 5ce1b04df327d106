import { Failure } from "../base/failure.ts";
import type { Folder } from "../models/folder.ts";
import type { MissingPart } from "../models/publication.ts";
import { runBounded } from "../models/run-bounded.ts";
import type { VersionFile } from "../models/version.ts";
import { patiently } from "./patiently.ts";

const PARTS_AT_ONCE = 4;
const PART_TIMEOUT_MS = 300_000;

export type PartsToSend = { readonly folder: Folder; readonly files: readonly VersionFile[]; readonly parts: readonly MissingPart[] };

/** Puts parts straight into the object store. One whose URL has expired is left for the next round. */
export async function sendParts({ folder, files, parts }: PartsToSend, onSent: (bytes: number) => void): Promise<void> {
  const paths = new Map(files.map((file) => [file.sha256, file.path]));
  await runBounded(parts, PARTS_AT_ONCE, async (part) => {
    const path = paths.get(part.sha256);
    if (path === undefined) throw new Failure("engine_failed", "The gateway asks for a file that was not offered.");
    const body = await folder.readAt(path, part.offset, part.bytes);
    if (body.length < part.bytes)
      throw new Failure("invalid_request", `${path} has become shorter while it was published.`, { field: path });
    if (await patiently(() => put(part.url, body))) onSent(part.bytes);
  });
}

async function put(url: string, body: Uint8Array): Promise<boolean> {
  const { status } = await send(url, body);
  if (status === 200) return true;
  if (status === 403) return false;
  const isPassing = status >= 500 || status === 408 || status === 429;
  throw new Failure(isPassing ? "unavailable" : "engine_failed", `The object store answered ${status} to a part.`);
}

async function send(url: string, body: Uint8Array): Promise<Response> {
  try {
    // A copy over a plain ArrayBuffer is what fetch's types take; the part is in memory either way.
    const answer = await fetch(url, { method: "PUT", body: new Uint8Array(body), signal: AbortSignal.timeout(PART_TIMEOUT_MS) });
    await answer.arrayBuffer();
    return answer;
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new Failure("unavailable", `The object store cannot be reached (${reason}).`, { cause });
  }
}
