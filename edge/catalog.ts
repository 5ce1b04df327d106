import type { Clock } from "../shared/base/clock.ts";
import type { Page, PageQuery } from "../shared/base/page.ts";
import type { Revision, RevisionLog } from "../shared/dynamo/revision-log.ts";
import type { Caller } from "../shared/keys/principal.ts";
import { type ModelReference, mayName, modelNotFound, parseModelReference } from "../shared/models/reference.ts";
import { isVisibleTo, MODEL_GROUP, type Model, type ReadyVersion, type UpstreamVersion, type Version } from "../shared/models/version.ts";
import type { VersionStore } from "../shared/models/version-store.dynamo.ts";
import { liveVersionOf, pickArm, type Split } from "../shared/routing/split.ts";
import { createCache } from "./cache.ts";

const ROUTE_FRESH_MS = 2_000;
/** A split that is set is in force everywhere after this time; the promise is 5 s. */
const ROUTE_HARD_MS = 4_000;
const ROUTES_MAX = 10_000;

export type CatalogSettings = {
  readonly models: RevisionLog<Model>;
  readonly versions: VersionStore;
  readonly splits: RevisionLog<Split>;
  readonly clock: Clock;
};

export type ServableVersion = ReadyVersion | UpstreamVersion;

/** Where a request goes: a version that can answer, and the arm that it was assigned by (`pinned` when the caller named the version). */
export type Target = { readonly version: ServableVersion; readonly arm: string };

export type Asking = { readonly reference: string; readonly caller: Caller; readonly unit: string };

/** A model as its users see it: by the name of its split, or by that of a version where the caller may name no more than that. */
export type VisibleModel = { readonly name: string; readonly model: Revision<Model>; readonly live: ServableVersion };

export type Catalog = {
  /** Decides which version answers. Fails with `not_found` for what does not exist, is not ready, or may not be seen: one answer for all. */
  readonly resolve: (asking: Asking) => Promise<Target>;
  /** What a caller may name of models that have a live version. Filtering comes after reading, so a page may be short. */
  readonly list: (caller: Caller, page: PageQuery) => Promise<Page<VisibleModel>>;
  /** The versions of a model that can answer, of those that the caller may name; highest number first. */
  readonly versionsOf: (asking: Omit<Asking, "unit">) => Promise<ServableVersion[]>;
};

type Route = { readonly model: Revision<Model> | undefined; readonly split: Split | undefined };
type Caches = {
  route: (model: string) => Route | Promise<Route>;
  version: (model: string, number: number) => Promise<ServableVersion | undefined>;
};

export const PINNED_ARM = "pinned";

export function createCatalog(settings: CatalogSettings): Catalog {
  const caches = createCaches(settings);
  return {
    resolve: (asking) => resolve(caches, asking),
    list: (caller, page) => listVisible({ settings, caches }, caller, page),
    async versionsOf({ reference, caller }) {
      const { model } = await visibleRoute(caches, { reference, caller, named: parseModelReference(reference) });
      const versions = await settings.versions.list(model.body.name, { limit: 100 });
      const servable = versions.items.map((each) => each.body).filter(isServable);
      return servable.filter((version) => mayName(caller.models, { kind: "version", ...version }));
    },
  };
}

/** A cursor names the model that its page ended with, so no page may end with one that the caller may not see. */
async function listVisible(from: { settings: CatalogSettings; caches: Caches }, caller: Caller, page: PageQuery) {
  for (let query = page; ; ) {
    const models = await from.settings.models.list(MODEL_GROUP, query);
    const seen = await Promise.all(models.items.map((model) => visible(from.caches, model, caller)));
    const items = seen.flat();
    const lastVisible = seen.findLastIndex((each) => each.length > 0);
    if (models.nextCursor === undefined) return { items };
    if (lastVisible === seen.length - 1) return { items, nextCursor: models.nextCursor };
    query = lastVisible < 0 ? { ...query, cursor: models.nextCursor } : { ...query, limit: lastVisible + 1 };
  }
}

function createCaches(settings: CatalogSettings): Caches {
  const ages = { clock: settings.clock, freshMs: ROUTE_FRESH_MS, hardMs: ROUTE_HARD_MS, itemsMax: ROUTES_MAX };
  const routes = createCache<Route>({ ...ages, load: (model) => loadRoute(settings, model) });
  const versions = createCache<Version | undefined>({
    ...ages,
    load: async (id) => {
      const [model = "", number] = id.split("@");
      return (await settings.versions.current(model, Number(number)))?.body;
    },
  });
  return {
    route: (model) => routes.get(model),
    version: async (model, number) => {
      const version = await versions.get(`${model}@${number}`);
      return version && isServable(version) ? version : undefined;
    },
  };
}

async function loadRoute(settings: CatalogSettings, model: string): Promise<Route> {
  const [found, split] = await Promise.all([settings.models.current(model), settings.splits.current(model)]);
  return { model: found, split: split?.body };
}

async function resolve(caches: Caches, asking: Asking): Promise<Target> {
  const reference = parseModelReference(asking.reference);
  const { split } = await visibleRoute(caches, { ...asking, named: reference });
  const assigned = assign(reference, split, asking.unit);
  const version = assigned && (await caches.version(reference.model, assigned.version));
  if (assigned === undefined || version === undefined) throw modelNotFound(asking.reference);
  return { version, arm: assigned.name };
}

function assign(reference: ModelReference, split: Split | undefined, unit: string) {
  switch (reference.kind) {
    case "split":
      return split && pickArm(split, unit);
    case "version":
      return { name: PINNED_ARM, version: reference.number };
    case "alias":
      return undefined; // no model has an alias yet
  }
}

async function visibleRoute(caches: Caches, asking: { reference: string; caller: Caller; named: ModelReference }) {
  const { caller, named } = asking;
  const { model, split } = await caches.route(named.model);
  const isHidden = model === undefined || !isVisibleTo(model.body, caller.tenant) || !mayName(caller.models, named);
  if (isHidden) throw modelNotFound(asking.reference);
  return { model, split };
}

async function visible(caches: Caches, model: Revision<Model>, caller: Caller): Promise<VisibleModel[]> {
  const { name } = model.body;
  if (!isVisibleTo(model.body, caller.tenant)) return [];
  if (!mayName(caller.models, { kind: "split", model: name })) return pinned(caches, model, caller);
  const { split } = await caches.route(name);
  const live = split && (await caches.version(name, liveVersionOf(split)));
  return live === undefined ? [] : [{ name, model, live }];
}

/** The versions that a key is limited to, where it may not name the split. */
async function pinned(caches: Caches, model: Revision<Model>, { models: limit = new Set() }: Caller): Promise<VisibleModel[]> {
  const named = [...limit]
    .map(parseModelReference)
    .flatMap((each) => (each.kind === "version" && each.model === model.body.name ? each.number : []));
  const versions = await Promise.all(named.map((number) => caches.version(model.body.name, number)));
  return versions.flatMap((live) => (live === undefined ? [] : [{ name: `${live.model}@${live.number}`, model, live }]));
}

function isServable(version: Version): version is ServableVersion {
  return version.state === "ready" || version.state === "upstream";
}
