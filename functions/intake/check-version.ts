import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../shared/base/clock.ts";
import { unlessConflict } from "../../shared/base/failure.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import type { Change, Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { BlobStore } from "../../shared/models/blob-store.ts";
import type { IntakeJob } from "../../shared/models/intake-client.ts";
import type { Dtype, Manifest, Version, VersionFacts } from "../../shared/models/version.ts";
import type { VersionStore } from "../../shared/models/version-store.dynamo.ts";
import { ensureFirstSplit } from "../../shared/routing/first-split.ts";
import type { Split } from "../../shared/routing/split.ts";
import { checkFallbacks } from "./check-fallbacks.ts";
import { fetchFolder } from "./fetch-folder.ts";
import { isRejection, rejection } from "./rejection.ts";

export type CheckDeps = {
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly versions: VersionStore;
  readonly splits: RevisionLog<Split>;
  /** Loads a folder's model and runs it, apart from this process. */
  readonly inspect: (model: GoldenModel, signal: AbortSignal) => Promise<VersionFacts>;
  readonly workFolder: string;
  readonly folderBytesMax: number;
};

/** Begins the name of every folder that is being checked; the process's id follows. */
export const FOLDER_PREFIX = "weir-check-";

export type GoldenModel = { readonly folder: string; readonly dtype: Dtype };

type CheckingVersion = Extract<Version, { state: "checking" }>;
type Verdict = { readonly version: Version; readonly why: string };

/**
 * Brings a version from `checking` to `ready` or `rejected`. May run twice at once and again after a crash: every step before the verdict can be
 * repeated, and the verdict is one conditional write. Fails, and leaves the version as it is, for what is not the version's fault.
 */
export async function checkVersion(deps: CheckDeps, job: IntakeJob, signal: AbortSignal): Promise<Version["state"] | undefined> {
  const current = await deps.versions.current(job.model, job.number);
  if (current === undefined) return undefined;
  const { body } = current;
  const verdict = body.state === "checking" ? await judge(deps, body, signal) : { version: body, why: "" };
  const settled = body === verdict.version ? body : await settle(deps, current, verdict);
  // Also for one that was ready before: a crash may have come between the verdict and the split.
  if (settled.state === "ready")
    await ensureFirstSplit({ splits: deps.splits, change: changeOf(deps, "the first version that is ready") }, job.model, job.number);
  return settled.state;
}

async function judge(deps: CheckDeps, version: CheckingVersion, signal: AbortSignal): Promise<Verdict> {
  const folder = await mkdtemp(join(deps.workFolder, `${FOLDER_PREFIX}${process.pid}-`));
  try {
    const facts = await learnFacts(deps, { version, folder }, signal);
    await checkFallbacks(deps.versions, version, facts);
    const manifestDigest = await writeManifest(deps.blobs, version, facts);
    return { version: { ...version, state: "ready", facts, manifestDigest }, why: "digests, graph and golden requests are right" };
  } catch (cause) {
    if (!isRejection(cause)) throw cause;
    return { version: { ...version, state: "rejected", reason: cause.message }, why: "the version was refused" };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function learnFacts(
  deps: CheckDeps,
  checked: { version: CheckingVersion; folder: string },
  signal: AbortSignal,
): Promise<VersionFacts> {
  const { version, folder } = checked;
  const bytes = version.files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > deps.folderBytesMax) throw rejection(`The folder has ${bytes} bytes; at most ${deps.folderBytesMax} can be checked here.`);
  await fetchFolder({ blobs: deps.blobs, folder, signal }, version.files);
  return deps.inspect({ folder, dtype: version.placement.dtype }, signal);
}

/** Written last, so that whoever finds a manifest finds everything that it names. */
async function writeManifest(blobs: BlobStore, version: CheckingVersion, facts: VersionFacts): Promise<string> {
  const { model, number, contentDigest, files } = version;
  const text = JSON.stringify({ schema: 1, model, number, contentDigest, files, facts } satisfies Manifest);
  const digest = sha256Hex(text);
  await blobs.putManifest(digest, text);
  return digest;
}

async function settle(deps: CheckDeps, current: Revision<Version>, verdict: Verdict): Promise<Version> {
  const settled = await unlessConflict(deps.versions.append(verdict.version, current.revision, changeOf(deps, verdict.why)));
  // Another check of the same version may have been faster; its verdict stands.
  return (settled ?? (await deps.versions.current(current.body.model, current.body.number)) ?? current).body;
}

function changeOf(deps: CheckDeps, why: string): Change {
  return { by: "intake", why, atMs: deps.clock.nowMs() };
}
