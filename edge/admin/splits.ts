import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { ModelName } from "../../shared/models/version.ts";
import { liveVersionOf, reshare, type Share, type Split, SplitChange, SplitRevision, sharesOf } from "../../shared/routing/split.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { changeOf, stamped } from "./change.ts";
import { answerRevision, appendNext, ETAG, IF_MATCH } from "./if-match.ts";

type SplitDeps = Pick<Deps, "clock"> & { readonly control: Pick<Deps["control"], "models" | "versions" | "splits"> };

/** `/admin/splits`: which version gets which share of a model's traffic. */
export function splitRoutes(deps: SplitDeps) {
  return new Hono<EdgeEnv>()
    .get("/:model", async (c) => {
      const model = await modelOf(deps, c.req.param("model"));
      const split = await deps.control.splits.current(model);
      if (split === undefined) throw new Failure("not_found", `The model '${model}' has no split yet: no version of it is ready.`);
      return answerRevision(c, shown(split));
    })
    .put("/:model", async (c) => answerRevision(c, await setSplit(deps, c)))
    .get("/:model/history", async (c) => {
      const model = await modelOf(deps, c.req.param("model"));
      const page = await deps.control.splits.history(model, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    });
}

/** One conditional write; setting the shares that are in force changes nothing. */
async function setSplit(deps: SplitDeps, c: EdgeContext): Promise<SplitRevision> {
  const { shares, why } = await readJson(c, SplitChange);
  const model = await modelOf(deps, c.req.param("model") ?? "");
  await Promise.all(shares.map((share, place) => assertServable(deps, { model, ...share }, place)));
  const before = await deps.control.splits.current(model);
  if (before !== undefined && isSplitBy(before.body, shares)) return shown(before);
  const body = reshare(model, before?.body, shares);
  return shown(await appendNext(c, deps.control.splits, { id: model, current: before, body, change: changeOf(c, deps.clock, why) }));
}

async function assertServable(deps: SplitDeps, { model, version: number }: { model: string; version: number }, place: number) {
  const state = (await deps.control.versions.current(model, number))?.body.state;
  if (state === "ready" || state === "upstream") return;
  const field = `shares.${place}.version`;
  const reason = state === undefined ? "does not exist" : `is ${state}, not ready`;
  throw new Failure("invalid_request", `${field}: ${model}@${number} ${reason}`, { field });
}

function isSplitBy(split: Split, shares: readonly Share[]): boolean {
  const inForce = new Map(sharesOf(split).map(({ version, shareBps }) => [version, shareBps]));
  return inForce.size === shares.length && shares.every(({ version, shareBps }) => inForce.get(version) === shareBps);
}

async function modelOf(deps: SplitDeps, name: string): Promise<string> {
  const model = ModelName.safeParse(name).success ? await deps.control.models.current(name) : undefined;
  if (model === undefined) throw new Failure("not_found", `There is no model '${name.slice(0, 100)}'.`, { field: "model" });
  return model.body.name;
}

function shown(split: Revision<Split>): SplitRevision {
  const { model, arms } = split.body;
  const shares = sharesOf(split.body).map((share, place) => ({ ...share, arm: arms[place]?.name ?? "" }));
  return stamped({ model, live: liveVersionOf(split.body), shares }, split);
}

export const splitPaths: PathGroup = {
  name: "splits",
  summary: "Which version gets which share of a model's traffic",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/splits/{model}",
      summary: "Shows a model's split",
      scope: "rollouts",
      headersOut: [ETAG],
      answer: { status: 200, summary: "The split", schema: SplitRevision },
      refusals: ["not_found"],
    },
    {
      method: "put",
      path: "/admin/splits/{model}",
      summary: "Sets the shares of a model's versions: one write, in force everywhere within 5 s",
      scope: "rollouts",
      body: SplitChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The split", schema: SplitRevision },
      refusals: ["not_found", "conflict", "precondition_failed"],
    },
    {
      method: "get",
      path: "/admin/splits/{model}/history",
      summary: "Lists what a split was, newest first",
      scope: "rollouts",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(SplitRevision) },
      refusals: ["not_found"],
    },
  ],
};
