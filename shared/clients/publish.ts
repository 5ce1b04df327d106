import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";
import { scanFolder } from "../models/folder.disk.ts";
import { checkFolder, dtypesIn, type Folder } from "../models/folder.ts";
import { contentsOf, type VersionRevision } from "../models/publication.ts";
import { type Dtype, type Fallback, type Model, ModelName, PART_BYTES, type Placement, type VersionFile } from "../models/version.ts";
import type { ModelsClient } from "./models.ts";
import { patiently } from "./patiently.ts";
import { sendParts } from "./send-parts.ts";

export type FolderToPublish = {
  readonly folder: string;
  readonly model: string;
  readonly pool: string;
  /** Absent, the most exact one that the folder has. */
  readonly dtype?: Dtype | undefined;
  /** What answers when the pool cannot, in this order; absent, nothing. */
  readonly fallbacks?: readonly Fallback[] | undefined;
  readonly tenants?: Model["tenants"] | undefined;
  readonly why?: string | undefined;
};

/** Where a publication stands; bytes that are there already count as sent. */
export type PublishStep =
  | { readonly kind: "hashing" | "sending"; readonly bytesDone: number; readonly bytesTotal: number }
  | { readonly kind: "checking"; readonly version: VersionRevision };

export type Published = { readonly version: VersionRevision; readonly bytesSent: number };

const CHECK_TIMEOUT_MS = 900_000;
const POLL_WAIT_MS = 250;
const POLL_WAIT_MS_MAX = 2_000;
/** Rounds of sending that brought nothing forward before it is given up. */
const IDLE_ROUNDS_MAX = 3;

/**
 * Publishes a folder as a version and waits until it is `ready`. Sends only what is not there, so that a publication that was cut off goes on where
 * it stopped, and the same content again answers with the version that exists. Fails with `invalid_request` and the reason if it is rejected.
 */
export async function publishFolder(models: ModelsClient, order: FolderToPublish, onStep: (step: PublishStep) => void): Promise<Published> {
  const name = ModelName.safeParse(order.model);
  if (!name.success) throw new Failure("invalid_request", `${name.error.issues[0]?.message}.`, { field: "name" });
  const folder = await scanFolder(order.folder);
  const placement = placementOf(order, folder);
  for (const dtype of dtypesOf(placement)) await checkFolder(folder, dtype);
  const files = await hashFiles(folder, onStep);
  const bytesSent = await sendFiles({ models, model: order.model, folder, files, placement }, onStep);
  const { model, tenants, why } = order;
  const version = await models.makeVersion(model, { files, placement, ...(tenants && { tenants }), ...(why !== undefined && { why }) });
  return { version: await waitUntilChecked(models, version, onStep), bytesSent };
}

function placementOf({ pool, dtype, fallbacks = [] }: FolderToPublish, folder: Folder): Placement {
  const place = { pool, dtype: dtype ?? bestDtypeIn(folder) };
  return fallbacks.length === 0 ? place : { ...place, fallbacks: [...fallbacks] };
}

function dtypesOf({ dtype, fallbacks = [] }: Placement): Set<Dtype> {
  return new Set([dtype, ...fallbacks.flatMap((fallback) => ("dtype" in fallback ? [fallback.dtype] : []))]);
}

function bestDtypeIn(folder: Folder): Dtype {
  const [best, ...others] = dtypesIn(folder.files);
  if (best === "fp32" || (best !== undefined && others.length === 0)) return best;
  if (best === undefined) throw new Failure("invalid_request", "onnx/model.onnx is missing: the folder has no ONNX graph.");
  throw new Failure("invalid_request", `Say which of the folder's graphs shall run: ${[best, ...others].join(", ")}.`, { field: "dtype" });
}

async function hashFiles(folder: Folder, onStep: (step: PublishStep) => void): Promise<VersionFile[]> {
  const bytesTotal = sumOf(folder.files.values());
  let bytesDone = 0;
  const files: VersionFile[] = [];
  for (const [path, bytes] of [...folder.files].sort()) {
    const hash = createHash("sha256");
    for (let offset = 0; offset < bytes; offset += PART_BYTES) {
      const chunk = await folder.readAt(path, offset, Math.min(PART_BYTES, bytes - offset));
      hash.update(chunk);
      bytesDone += chunk.length;
      onStep({ kind: "hashing", bytesDone, bytesTotal });
    }
    files.push({ path, bytes, sha256: hash.digest("hex") });
  }
  return files;
}

type UploadOrder = {
  readonly models: ModelsClient;
  readonly model: string;
  readonly folder: Folder;
  readonly files: readonly VersionFile[];
  readonly placement: Placement;
};

/** Asks what is missing and sends it, round after round: an answer names only so many parts, and a URL works only so long. */
async function sendFiles(upload: UploadOrder, onStep: (step: PublishStep) => void): Promise<number> {
  const bytesTotal = sumOf(contentsOf(upload.files).map(({ bytes }) => bytes));
  let bytesSent = 0;
  for (let idleRounds = 0, bytesMissingBefore = Number.POSITIVE_INFINITY; ; ) {
    const { parts, bytesMissing } = await upload.models.planUpload(upload.model, { files: [...upload.files], placement: upload.placement });
    if (parts.length === 0) return bytesSent;
    idleRounds = bytesMissing < bytesMissingBefore ? 0 : idleRounds + 1;
    if (idleRounds >= IDLE_ROUNDS_MAX) throw new Failure("unavailable", "The upload does not get on: what is sent does not arrive.");
    bytesMissingBefore = bytesMissing;
    let bytesDone = bytesTotal - bytesMissing;
    onStep({ kind: "sending", bytesDone, bytesTotal });
    await sendParts({ ...upload, parts }, (bytes) => {
      bytesDone += bytes;
      bytesSent += bytes;
      onStep({ kind: "sending", bytesDone, bytesTotal });
    });
  }
}

async function waitUntilChecked(
  models: ModelsClient,
  first: VersionRevision,
  onStep: (step: PublishStep) => void,
): Promise<VersionRevision> {
  let version = first;
  for (let waitedMs = 0, waitMs = POLL_WAIT_MS; version.state === "checking"; waitMs = Math.min(POLL_WAIT_MS_MAX, waitMs * 1.5)) {
    onStep({ kind: "checking", version });
    if (waitedMs >= CHECK_TIMEOUT_MS)
      throw new Failure("timeout", `${first.model}@${first.number} is still being checked. Publish again to wait for it.`);
    await sleep(waitMs);
    waitedMs += waitMs;
    version = await patiently(() => models.version(first.model, first.number));
  }
  if (version.state === "rejected")
    throw new Failure("invalid_request", `${version.model}@${version.number} was rejected: ${version.reason}`);
  return version;
}

function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const each of numbers) sum += each;
  return sum;
}
