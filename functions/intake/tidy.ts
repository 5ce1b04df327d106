import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../shared/base/clock.ts";
import { eachItem } from "../../shared/base/page.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { ABANDONED_AFTER_MS, type BlobStore } from "../../shared/models/blob-store.ts";
import type { IntakeJob } from "../../shared/models/intake-client.ts";
import { MODEL_GROUP, type Model } from "../../shared/models/version.ts";
import type { VersionStore } from "../../shared/models/version-store.dynamo.ts";
import type { Split } from "../../shared/routing/split.ts";
import { FOLDER_PREFIX } from "./check-version.ts";

export type TidyDeps = {
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly models: RevisionLog<Model>;
  readonly versions: VersionStore;
  readonly splits: RevisionLog<Split>;
  readonly workFolder: string;
};

/** What crashes and publishers that left have left behind: uploads are removed, and the versions that somebody must still check are returned. */
export async function tidy(deps: TidyDeps): Promise<{ unfinished: IntakeJob[]; uploadsRemoved: number }> {
  await removeOrphanFolders(deps.workFolder);
  const uploadsRemoved = await deps.blobs.sweep(deps.clock.nowMs() - ABANDONED_AFTER_MS);
  const unfinished: IntakeJob[] = [];
  for await (const model of eachItem((page) => deps.models.list(MODEL_GROUP, page))) {
    unfinished.push(...(await unfinishedOf(deps, model.body.name)));
  }
  return { unfinished, uploadsRemoved };
}

/** Versions that are still `checking`; and the first one that is ready, if its model has no split yet. */
async function unfinishedOf(deps: TidyDeps, model: string): Promise<IntakeJob[]> {
  const checking: IntakeJob[] = [];
  let firstReady: IntakeJob | undefined;
  for await (const { body } of eachItem((page) => deps.versions.list(model, page))) {
    if (body.state === "checking") checking.push({ model, number: body.number });
    if (body.state === "ready") firstReady = { model, number: body.number };
  }
  const isUnsplit = firstReady !== undefined && (await deps.splits.current(model)) === undefined;
  return isUnsplit && firstReady ? [firstReady, ...checking] : checking;
}

/** A folder's name says which process made it; those of processes that are gone are nobody's. */
async function removeOrphanFolders(workFolder: string): Promise<void> {
  for (const name of await readdir(workFolder)) {
    const [prefix, pid] = [name.slice(0, FOLDER_PREFIX.length), Number.parseInt(name.slice(FOLDER_PREFIX.length), 10)];
    if (prefix === FOLDER_PREFIX && !isAlive(pid)) await rm(join(workFolder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // EPERM: it lives and belongs to somebody else.
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}
