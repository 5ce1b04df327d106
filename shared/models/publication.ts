import * as z from "zod";
import { Failure } from "../base/failure.ts";
import { sha256Hex } from "../base/hash.ts";
import { RevisionStamp, Why } from "../base/revision.ts";
import type { Content } from "./blob-store.ts";
import { fallbackNames } from "./fallback.ts";
import { contentDigestOf, Model, Placement, Upstream, Version, VersionFile, VersionFiles } from "./version.ts";

/** A model as the admin API shows it; `live` is the version of its split's stable arm, absent until one is ready. */
export const ModelRevision = Model.extend({ live: z.int().positive().exactOptional(), revision: RevisionStamp }).meta({ id: "Model" });
export type ModelRevision = z.infer<typeof ModelRevision>;

/** A version as the admin API shows it: what it is, and who or what brought it into its state. */
export const VersionRevision = Version.and(z.object({ revision: RevisionStamp })).meta({ id: "Version" });
export type VersionRevision = z.infer<typeof VersionRevision>;

export const ModelChange = z.strictObject({ tenants: Model.shape.tenants, why: Why.optional() });
export type ModelChange = z.infer<typeof ModelChange>;

/** What a publisher has: the files of a folder, and where the version shall run. */
export const Upload = z.strictObject({ files: VersionFiles, placement: Placement });
export type Upload = z.infer<typeof Upload>;

/** A part that is still to be sent: PUT these bytes of the file with this digest to the URL. */
export const MissingPart = z
  .object({
    sha256: VersionFile.shape.sha256,
    number: z.int().positive(),
    offset: z.int().min(0),
    bytes: z.int().positive(),
    url: z.url(),
  })
  .meta({ id: "MissingPart" });
export type MissingPart = z.infer<typeof MissingPart>;

/** What is left to be sent. With `parts` empty the upload is complete; else send them and ask again, since an answer names a limited number. */
export const UploadPlan = z
  .object({
    /** The version that has this content and placement already, whatever its state. */
    version: VersionRevision.exactOptional(),
    parts: z.array(MissingPart),
    /** Of all that is missing, in `parts` or not. */
    bytesMissing: z.int().min(0),
  })
  .meta({ id: "UploadPlan" });
export type UploadPlan = z.infer<typeof UploadPlan>;

const Publishing = {
  /** Who may use the model; a new model is for every tenant unless said, an existing one stays as it is. */
  tenants: Model.shape.tenants.optional(),
  why: Why.optional(),
};

/** Makes a version of uploaded files, or of a foreign engine (operators only, as all of the admin API). */
export const NewVersion = z.union([
  z.strictObject({ ...Upload.shape, ...Publishing }),
  z.strictObject({ upstream: z.strictObject(Upstream.shape), ...Publishing }),
]);
export type NewVersion = z.infer<typeof NewVersion>;

/** Where a ready version's bytes can be read, so that anybody with the admin API can hash them again. */
export const VersionContent = z
  .object({
    manifest: z.object({ digest: z.string(), url: z.url() }),
    files: z.array(VersionFile.extend({ url: z.url() })),
  })
  .meta({ id: "VersionContent" });
export type VersionContent = z.infer<typeof VersionContent>;

/** The distinct contents among files; two paths may hold the same bytes. Fails with `invalid_request` if a digest comes with two sizes. */
export function contentsOf(files: readonly VersionFile[]): Content[] {
  const contents = new Map<string, Content>();
  for (const { sha256, bytes, path } of files) {
    const known = contents.get(sha256);
    if (known && known.bytes !== bytes)
      throw new Failure("invalid_request", `${path} has the digest of a file of another size.`, { field: path });
    contents.set(sha256, { sha256, bytes });
  }
  return [...contents.values()];
}

/** Tells whether a version is what somebody publishes: the same content in the same place. */
export function isSamePublication(version: Version, asked: NewVersion): boolean {
  if (version.contentDigest !== digestOf(asked)) return false;
  if (version.state === "upstream" || "upstream" in asked) return true;
  return isSamePlacement(version.placement, asked.placement);
}

/** The body of a new version, as its first revision holds it. */
export function newVersionOf(asked: NewVersion, identity: { model: string; number: number }): Version {
  const base = { ...identity, contentDigest: digestOf(asked) };
  if ("upstream" in asked) return { ...base, state: "upstream", upstream: asked.upstream };
  return { ...base, state: "checking", files: asked.files, placement: asked.placement };
}

/** What answers in an outage is part of what a version is: with other fallbacks it is another version. */
function isSamePlacement(one: Placement, other: Placement): boolean {
  return one.pool === other.pool && one.dtype === other.dtype && fallbackNames(one).join() === fallbackNames(other).join();
}

function digestOf(asked: NewVersion): string {
  if (!("upstream" in asked)) return contentDigestOf(asked.files);
  const { url, model, credential, tellsUsageThroughout } = asked.upstream;
  // Nothing is added for what is not said: a version's digest stays what it was.
  return sha256Hex(JSON.stringify([url, model, credential ?? null, ...(tellsUsageThroughout === true ? ["tells usage throughout"] : [])]));
}
