import { Hono } from "hono";
import * as z from "zod";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import {
  CreatedKey,
  type Key,
  type KeyMint,
  KeyRevision,
  keyGroupOf,
  makeKey,
  NewKey,
  peppersOf,
  type Scope,
} from "../../shared/keys/key.ts";
import { OPERATOR_SCOPES } from "../../shared/people/rights.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { changeOf, stamped } from "./change.ts";
import { tenantOf } from "./tenants.ts";

type KeyDeps = Pick<Deps, "clock" | "ids" | "config"> & { readonly control: Pick<Deps["control"], "tenants" | "keys"> };

const KeysQuery = PageQuery.extend({ tenant: z.string().min(1) });

/** `/admin/keys`: who may do what for a tenant. */
export function keyRoutes(deps: KeyDeps) {
  const { WEIR_ENV: env, WEIR_CELL: cell, WEIR_PEPPERS: peppers } = deps.config;
  const mint = { place: { env, cell }, ids: deps.ids, peppers: peppersOf(peppers) };
  return new Hono<EdgeEnv>()
    .post("/", async (c) => c.json(await createKey(deps, mint, c), 201))
    .get("/", async (c) => {
      const { tenant, ...query } = checked(c.req.query(), KeysQuery);
      await tenantOf(deps, tenant);
      const page = await deps.control.keys.list(keyGroupOf(tenant), query);
      return c.json({ ...page, items: page.items.map(shown) });
    })
    .get("/:id", async (c) => c.json(shown(await keyOf(deps, c.req.param("id")))))
    .delete("/:id", async (c) => c.json(await revokeKey(deps, c)));
}

async function createKey(deps: KeyDeps, mint: KeyMint, c: EdgeContext): Promise<CreatedKey> {
  const { why, ...owner } = await readJson(c, NewKey);
  const tenant = await tenantOf(deps, owner.tenant);
  if (tenant.body.isClosed) throw new Failure("conflict", `The tenant '${owner.tenant}' is closed.`, { field: "tenant" });
  assertMayHold(owner.tenant, owner.scopes);
  const { key, text } = makeKey(mint, owner);
  const created = await deps.control.keys.append(key.id, 0, { body: key, change: changeOf(c, deps.clock, why) });
  c.header("Cache-Control", "no-store");
  return { ...shown(created), key: text };
}

/** Who operates Weir sees every tenant, so only the operators' own tenant has such keys. */
function assertMayHold(tenant: string, scopes: readonly Scope[]) {
  const scope = scopes.find((each) => OPERATOR_SCOPES.includes(each));
  if (tenant === OPERATORS || scope === undefined) return;
  throw new Failure("invalid_request", `scopes: only keys of the tenant '${OPERATORS}' may have the scope '${scope}'`, { field: "scopes" });
}

/** Revoking twice changes nothing. */
async function revokeKey(deps: KeyDeps, c: EdgeContext): Promise<KeyRevision> {
  const current = await keyOf(deps, c.req.param("id") ?? "");
  const { id, isRevoked } = current.body;
  // So that there is always an operator's key left.
  if (id === c.get("principal").keyId)
    throw new Failure("conflict", "A key cannot revoke itself: use another operator's key.", { field: "id" });
  if (isRevoked) return shown(current);
  const body = { ...current.body, isRevoked: true };
  return shown(await deps.control.keys.append(id, current.revision, { body, change: changeOf(c, deps.clock, undefined) }));
}

async function keyOf(deps: KeyDeps, id: string): Promise<Revision<Key>> {
  const key = /^[0-9A-Za-z]{16}$/.test(id) ? await deps.control.keys.current(id) : undefined;
  if (key === undefined) throw new Failure("not_found", `There is no key '${id.slice(0, 16)}'.`, { field: "id" });
  return key;
}

/** Named one by one: what a key's secret is checked with must not leave by an oversight. */
function shown(key: Revision<Key>): KeyRevision {
  const { id, tenant, name, scopes, isRevoked, limits } = key.body;
  return stamped({ id, tenant, name, scopes, isRevoked, ...(limits === undefined ? {} : { limits }) }, key);
}

export const keyPaths: PathGroup = {
  name: "keys",
  summary: "Who may do what for a tenant",
  failure: FailureAnswer,
  paths: [
    {
      method: "post",
      path: "/admin/keys",
      summary: "Makes a key; no other answer holds its text",
      scope: "operate",
      body: NewKey,
      answer: { status: 201, summary: "The key, with its text", schema: CreatedKey },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "get",
      path: "/admin/keys",
      summary: "Lists a tenant's keys, revoked ones too",
      scope: "operate",
      query: KeysQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(KeyRevision) },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/keys/{id}",
      summary: "Shows a key",
      scope: "operate",
      answer: { status: 200, summary: "The key", schema: KeyRevision },
      refusals: ["not_found"],
    },
    {
      method: "delete",
      path: "/admin/keys/{id}",
      summary: "Revokes a key: it is refused everywhere within 30 s",
      scope: "operate",
      headers: [{ name: "Weir-Reason", summary: "Why; kept in the history" }],
      answer: { status: 200, summary: "The revoked key", schema: KeyRevision },
      refusals: ["not_found", "conflict"],
    },
  ],
};
