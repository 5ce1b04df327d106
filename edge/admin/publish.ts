import { Failure, unlessConflict } from "../../shared/base/failure.ts";
import { eachItem } from "../../shared/base/page.ts";
import type { Change, Revision } from "../../shared/dynamo/revision-log.ts";
import { type BlobStore, bytesOfParts, type Content, type Part, partsOf } from "../../shared/models/blob-store.ts";
import {
  contentsOf,
  isSamePublication,
  type MissingPart,
  type NewVersion,
  newVersionOf,
  type Upload,
} from "../../shared/models/publication.ts";
import { runBounded } from "../../shared/models/run-bounded.ts";
import type { Model, Version } from "../../shared/models/version.ts";
import { ensureFirstSplit } from "../../shared/routing/first-split.ts";
import type { Deps } from "../deps.ts";
import { checkPublication } from "./check-publication.ts";

/** What publishing touches. */
export type PublishDeps = Pick<Deps, "blobs" | "clock" | "control" | "intake" | "pools" | "resolveHost"> & {
  readonly config: Pick<Deps["config"], "engines">;
};

/** One answer names at most this many parts (1.6 GB): signing costs time, and a URL is of no use before its turn comes. */
const PARTS_PER_PLAN_MAX = 200;
const STORE_CALLS_AT_ONCE = 16;
/** Every lost race means that somebody else has made a version, so this many publishers may meet at once. */
const NUMBER_ATTEMPTS_MAX = 100;

/** Says what is left to be sent of these files. Nothing is stored. */
export async function planUpload(deps: PublishDeps, model: string, upload: Upload) {
  await checkPublication(deps, model, upload);
  const { same } = await findSame(deps, model, upload);
  const missing = same?.body.state === "ready" ? [] : await missingOf(deps.blobs, contentsOf(upload.files));
  const all = missing.flatMap(({ content, parts }) => parts.map((part) => ({ content, part })));
  const parts: MissingPart[] = [];
  for (const { content, part } of all.slice(0, PARTS_PER_PLAN_MAX)) {
    parts.push({ sha256: content.sha256, ...part, url: await deps.blobs.presignPart(content, part) });
  }
  return { version: same, parts, bytesMissing: bytesOfParts(all.map(({ part }) => part)) };
}

/**
 * Makes the version and has it checked. The same content in the same place is the version that exists: one that is being checked, or was
 * rejected, is checked again under its number. Fails with `conflict` if something has not arrived.
 */
export async function makeVersion(
  deps: PublishDeps,
  model: string,
  asked: { body: NewVersion; change: Change },
): Promise<Revision<Version>> {
  const { body, change } = asked;
  await checkPublication(deps, model, body);
  const found = await findSame(deps, model, body);
  if (!("upstream" in body) && found.same?.body.state !== "ready") await checkArrival(deps.blobs, contentsOf(body.files));
  await allowTenants(deps, { name: model, tenants: body.tenants }, change);
  const version = await claimVersion(deps, { model, body, change });
  if (version.body.state === "checking") await deps.intake.start({ model, number: version.body.number });
  else await ensureFirstSplit({ splits: deps.control.splits, change }, model, version.body.number);
  return version;
}

type Found = { readonly same: Revision<Version> | undefined; readonly lastNumber: number };

async function findSame(deps: PublishDeps, model: string, asked: Upload | NewVersion): Promise<Found> {
  let lastNumber = 0;
  for await (const version of eachItem((page) => deps.control.versions.list(model, page))) {
    lastNumber = Math.max(lastNumber, version.body.number);
    if (isSamePublication(version.body, asked)) return { same: version, lastNumber };
  }
  return { same: undefined, lastNumber };
}

type Missing = { readonly content: Content; readonly parts: readonly Part[] };

/** The parts that must still be sent, file by file. */
export async function missingOf(blobs: BlobStore, contents: readonly Content[]): Promise<Missing[]> {
  const missing: Missing[] = [];
  await runBounded(contents, STORE_CALLS_AT_ONCE, async (content) => {
    if (await blobs.has(content)) return;
    const arrived = content.bytes === 0 ? new Set() : await blobs.arrivedParts(content);
    const parts = partsOf(content.bytes).filter((part) => !arrived.has(part.number));
    if (parts.length === 0) return;
    // Once more: intake may have joined the parts into the blob, for another model with this file, after the first look and before the second.
    if (!(await blobs.has(content))) missing.push({ content, parts });
  });
  return missing;
}

async function checkArrival(blobs: BlobStore, contents: readonly Content[]) {
  const missing = await missingOf(blobs, contents);
  if (missing.length === 0) return;
  const bytes = bytesOfParts(missing.flatMap(({ parts }) => parts));
  throw new Failure("conflict", `${missing.length} files have not arrived whole (${bytes} bytes are missing). Send them first.`, {
    field: "files",
  });
}

type Claim = { readonly model: string; readonly body: NewVersion; readonly change: Change };

/**
 * Puts the version under the next number, unless the same content is there. Both rest on one consistent read of the model's versions: if
 * somebody adds one after the read, the number is taken, the put fails, and the next read shows theirs.
 */
async function claimVersion(deps: PublishDeps, claim: Claim): Promise<Revision<Version>> {
  for (let attempt = 0; attempt < NUMBER_ATTEMPTS_MAX; attempt += 1) {
    const { same, lastNumber } = await findSame(deps, claim.model, claim.body);
    if (same && same.body.state !== "rejected") return same;
    const number = same?.body.number ?? lastNumber + 1;
    const version = newVersionOf(claim.body, { model: claim.model, number });
    const put = await unlessConflict(deps.control.versions.append(version, same?.revision ?? 0, claim.change));
    if (put !== undefined) return put;
  }
  throw new Failure("conflict", `Too many versions of '${claim.model}' are published at once. Try again.`);
}

/** Makes the model if there is none; who may use it changes only if the publisher says so. */
async function allowTenants(deps: PublishDeps, asked: { name: string; tenants: Model["tenants"] | undefined }, change: Change) {
  const { models } = deps.control;
  const current = await models.current(asked.name);
  if (current && (asked.tenants === undefined || JSON.stringify(asked.tenants) === JSON.stringify(current.body.tenants))) return;
  const body = { name: asked.name, tenants: asked.tenants ?? ("*" as const) };
  const put = await unlessConflict(models.append(asked.name, current?.revision ?? 0, { body, change }));
  // Somebody else has made the model meanwhile: without a wish of ours, theirs stands.
  if (put === undefined && asked.tenants !== undefined) await allowTenants(deps, asked, change);
}
