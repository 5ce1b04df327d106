import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { Caller } from "../../../shared/keys/principal.ts";
import { runBounded } from "../../../shared/models/run-bounded.ts";
import type { IndexEntry, Loaded } from "../../../shared/oip/descriptions.ts";
import type { VisibleModel } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked } from "../../http.ts";
import { assertReady, whyNotReady } from "../../serve/readiness.ts";
import { readPlainBody } from "./compression.ts";
import { versionOf } from "./metadata.ts";
import { readFrame } from "./read-frame.ts";

const MODELS_MAX = 1_000;
const PAGE_MODELS = 100;
const READS_AT_ONCE_MAX = 8;

export const IndexRequest = z.object({ ready: z.boolean().optional() }).meta({ id: "RepositoryIndexRequest" });
export const LoadRequest = z.object({ parameters: z.record(z.string(), z.unknown()).optional() }).meta({ id: "RepositoryLoadRequest" });

/** `POST /v2/repository/index`: the versions that the key may call here, `MODELS_MAX` models at most. */
export function answerIndex(deps: Deps) {
  return async function answerIndex(c: EdgeContext) {
    const { ready = false } = await readOptional(c, IndexRequest);
    const caller = c.get("principal");
    const entries = new Map<string, IndexEntry[]>();
    const models = await visibleModels(deps, caller);
    await runBounded(models, READS_AT_ONCE_MAX, async (name) => {
      entries.set(name, await entriesOf(deps, caller, name));
    });
    const index = models.flatMap((name) => entries.get(name) ?? []).filter(({ state }) => !ready || state === "READY");
    return c.json(index);
  };
}

/** `POST /v2/repository/models/{m}/load`: a version that is ready is loaded when it is first called, so that there is nothing to wait for. */
export function answerLoad(deps: Deps) {
  return async function answerLoad(c: EdgeContext) {
    const { parameters = {} } = await readOptional(c, LoadRequest);
    if (Object.keys(parameters).length > 0) {
      throw new Failure("invalid_request", "A version never changes, so it is loaded as it was published: publish another one instead.", {
        field: "parameters",
      });
    }
    const version = await versionOf(deps, c);
    assertReady(deps, version);
    return c.json({ name: version.model, load: true } satisfies z.infer<typeof Loaded>);
  };
}

/** `POST /v2/repository/models/{m}/unload`: refused, since other tenants call the same versions and pools unload what is idle. */
export function answerUnload(deps: Deps) {
  return async function answerUnload(c: EdgeContext): Promise<Response> {
    const version = await versionOf(deps, c);
    const message = `The model '${version.model}' cannot be unloaded by its callers: idle versions are unloaded by themselves, and operators take one out of traffic by its split.`;
    throw new Failure("invalid_request", message, { field: "model" });
  };
}

/** tritonclient sends `{}`, or no body at all. */
async function readOptional<T>(c: EdgeContext, schema: z.ZodType<T>): Promise<T> {
  const body = await readPlainBody(c);
  return checked(body.byteLength === 0 ? {} : readFrame(body).json, schema);
}

/** A reference to each model, by which its versions may be asked for. */
async function visibleModels(deps: Deps, caller: Caller): Promise<string[]> {
  const models: VisibleModel[] = [];
  let cursor: string | undefined;
  do {
    const page = await deps.catalog.list(caller, { limit: PAGE_MODELS, ...(cursor === undefined ? {} : { cursor }) });
    models.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined && models.length < MODELS_MAX);
  return [...new Map(models.slice(0, MODELS_MAX).map(({ name, model }) => [model.body.name, name])).values()];
}

async function entriesOf(deps: Deps, caller: Caller, reference: string): Promise<IndexEntry[]> {
  const versions = await deps.catalog.versionsOf({ reference, caller });
  return versions.flatMap((version) => {
    if (version.state !== "ready") return []; // a foreign engine is under /v1 only
    const reason = whyNotReady(deps, version);
    const state = reason === undefined ? "READY" : "UNAVAILABLE";
    return [{ name: version.model, version: String(version.number), state, reason: reason ?? "" } satisfies IndexEntry];
  });
}
