import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import type { BlobStore } from "../../shared/models/blob-store.ts";
import {
  ModelChange,
  ModelRevision,
  NewVersion,
  Upload,
  UploadPlan,
  VersionContent,
  VersionRevision,
} from "../../shared/models/publication.ts";
import { MODEL_GROUP, type Model, ModelName, type Version } from "../../shared/models/version.ts";
import { liveVersionOf } from "../../shared/routing/split.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { changeOf, stamped } from "./change.ts";
import { answerRevision, appendNext, ETAG, IF_MATCH } from "./if-match.ts";
import { makeVersion, type PublishDeps, planUpload } from "./publish.ts";

/** `/admin/models`: models, and publishing their versions. */
export function modelRoutes(deps: PublishDeps) {
  return new Hono<EdgeEnv>()
    .get("/", async (c) => {
      const page = await deps.control.models.list(MODEL_GROUP, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: await Promise.all(page.items.map((model) => shown(deps, model))) });
    })
    .get("/:name", async (c) => answerRevision(c, await shown(deps, await modelOf(deps, c.req.param("name")))))
    .put("/:name", async (c) => answerRevision(c, await changeModel(deps, c)))
    .get("/:name/versions", async (c) => {
      const model = await modelOf(deps, c.req.param("name"));
      const page = await deps.control.versions.list(model.body.name, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shownVersion) });
    })
    .get("/:name/versions/:number", async (c) => {
      const version = await versionOf(deps, { model: c.req.param("name"), number: c.req.param("number") });
      return c.json(shownVersion(version));
    })
    .get("/:name/versions/:number/content", async (c) => {
      const version = await versionOf(deps, { model: c.req.param("name"), number: c.req.param("number") });
      return c.json(await contentOf(deps.blobs, version.body));
    })
    .post("/:name/uploads", async (c) => {
      const { version, ...plan } = await planUpload(deps, nameOf(c), await readJson(c, Upload));
      return c.json({ ...plan, ...(version === undefined ? {} : { version: shownVersion(version) }) });
    })
    .post("/:name/versions", async (c) => {
      const body = await readJson(c, NewVersion);
      const version = await makeVersion(deps, nameOf(c), { body, change: changeOf(c, deps.clock, body.why) });
      return c.json(shownVersion(version), version.body.state === "checking" ? 202 : 200);
    });
}

export const modelPaths: PathGroup = {
  name: "models",
  summary: "Models, and publishing their versions",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/models",
      summary: "Lists models",
      scope: "models",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(ModelRevision) },
    },
    {
      method: "get",
      path: "/admin/models/{name}",
      summary: "Shows a model",
      scope: "models",
      headersOut: [ETAG],
      answer: { status: 200, summary: "The model", schema: ModelRevision },
      refusals: ["not_found"],
    },
    {
      method: "put",
      path: "/admin/models/{name}",
      summary: "Says which tenants may use a model",
      scope: "models",
      body: ModelChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The model", schema: ModelRevision },
      refusals: ["not_found", "conflict", "precondition_failed"],
    },
    {
      method: "get",
      path: "/admin/models/{name}/versions",
      summary: "Lists a model's versions, highest number first",
      scope: "models",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(VersionRevision) },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/models/{name}/versions/{number}",
      summary: "Shows a version",
      scope: "models",
      answer: { status: 200, summary: "The version", schema: VersionRevision },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/models/{name}/versions/{number}/content",
      summary: "Gives URLs of a ready version's manifest and files, to read and hash them",
      scope: "models",
      answer: { status: 200, summary: "The URLs; they work for an hour", schema: VersionContent },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "post",
      path: "/admin/models/{name}/uploads",
      summary: "Says what is left to be sent of a folder, with URLs to send it to; stores nothing",
      scope: "models",
      body: Upload,
      answer: { status: 200, summary: "What is left", schema: UploadPlan },
    },
    {
      method: "post",
      path: "/admin/models/{name}/versions",
      summary: "Makes a version of a folder that was sent, or of a foreign engine; the same content again is the same version",
      scope: "models",
      body: NewVersion,
      answer: { status: 202, summary: "The version, which is being checked", schema: VersionRevision },
      otherwise: { status: 200, summary: "The version, of which nothing is left to check" },
      refusals: ["conflict", "overloaded"],
    },
  ],
};

async function changeModel(deps: PublishDeps, c: EdgeContext): Promise<ModelRevision> {
  const { tenants, why } = await readJson(c, ModelChange);
  const current = await modelOf(deps, nameOf(c));
  const { name } = current.body;
  const next = { id: name, current, body: { name, tenants }, change: changeOf(c, deps.clock, why) };
  return shown(deps, await appendNext(c, deps.control.models, next));
}

/** The name in the path; one that no model can have is refused where a model would be made. */
function nameOf(c: EdgeContext): string {
  const name = ModelName.safeParse(c.req.param("name"));
  if (name.success) return name.data;
  throw new Failure("invalid_request", `name: ${name.error.issues[0]?.message}`, { field: "name" });
}

async function modelOf(deps: PublishDeps, name: string): Promise<Revision<Model>> {
  const model = ModelName.safeParse(name).success ? await deps.control.models.current(name) : undefined;
  if (model === undefined) throw new Failure("not_found", `There is no model '${name.slice(0, 100)}'.`);
  return model;
}

async function versionOf(deps: PublishDeps, { model, number }: { model: string; number: string }): Promise<Revision<Version>> {
  const { name } = (await modelOf(deps, model)).body;
  const version = /^[1-9][0-9]{0,8}$/.test(number) ? await deps.control.versions.current(name, Number(number)) : undefined;
  if (version === undefined) throw new Failure("not_found", `There is no version '${name}@${number.slice(0, 20)}'.`);
  return version;
}

async function contentOf(blobs: BlobStore, version: Version): Promise<VersionContent> {
  if (version.state !== "ready")
    throw new Failure("conflict", `${version.model}@${version.number} is ${version.state}: it has no trusted content.`);
  const digest = version.manifestDigest;
  const files: VersionContent["files"] = [];
  for (const file of version.files) files.push({ ...file, url: await blobs.presignBlob(file.sha256) });
  return { manifest: { digest, url: await blobs.presignManifest(digest) }, files };
}

async function shown(deps: PublishDeps, model: Revision<Model>): Promise<ModelRevision> {
  const split = await deps.control.splits.current(model.body.name);
  return stamped({ ...model.body, ...(split === undefined ? {} : { live: liveVersionOf(split.body) }) }, model);
}

function shownVersion(version: Revision<Version>): VersionRevision {
  return stamped(version.body, version);
}
