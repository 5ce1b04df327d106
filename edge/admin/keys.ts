import { Hono } from "hono";
import * as z from "zod";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import type { Scope } from "../../shared/keys/key.ts";
import { CreatedKey, KeyChange, KeyRevision, KeyRotation, NewKey } from "../../shared/keys/key-requests.ts";
import { OPERATOR_SCOPES } from "../../shared/people/rights.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson, readOptionalJson } from "../http.ts";
import { createKeyring, type Keyring, type KeyringDeps } from "../keyring.ts";
import type { PathGroup } from "../openapi.ts";
import { revokePath, rotatePath, showPath } from "../own/key-paths.ts";
import { answerRevision, ETAG, IF_MATCH } from "./if-match.ts";
import { personOf } from "./people.ts";
import { tenantOf } from "./tenants.ts";

const KeysQuery = PageQuery.extend({ tenant: z.string().min(1) });

/** `/admin/keys`: who may do what for a tenant. */
export function keyRoutes(deps: KeyringDeps) {
  const keyring = createKeyring(deps);
  return new Hono<EdgeEnv>()
    .post("/", async (c) => c.json(await createKey(deps, keyring, c), 201))
    .get("/", async (c) => {
      const { tenant, ...query } = checked(c.req.query(), KeysQuery);
      await tenantOf(deps, tenant);
      return c.json(await keyring.list(tenant, query));
    })
    .get("/:id", async (c) => answerRevision(c, await keyring.show(await keyring.find(c.req.param("id")))))
    .patch("/:id", async (c) => {
      const change = await readJson(c, KeyChange);
      return answerRevision(c, await keyring.limit(await keyring.find(c.req.param("id")), change, c));
    })
    .post("/:id/rotate", async (c) => {
      const rotation = await readOptionalJson(c, KeyRotation);
      return c.json(await keyring.rotate(await keyring.find(c.req.param("id")), rotation, c));
    })
    .delete("/:id", async (c) => {
      const id = c.req.param("id");
      const key = await keyring.find(id);
      // So that there is always an operator's key left.
      if (id === c.get("principal").keyId)
        throw new Failure("conflict", "A key cannot revoke itself: use another operator's key.", { field: "id" });
      return c.json(await keyring.revoke(key, { c, why: undefined }));
    });
}

async function createKey(deps: KeyringDeps, keyring: Keyring, c: EdgeContext): Promise<CreatedKey> {
  const { why, scopes = [], ...owner } = await readJson(c, NewKey);
  const tenant = await tenantOf(deps, owner.tenant);
  if (tenant.body.isClosed) throw new Failure("conflict", `The tenant '${owner.tenant}' is closed.`, { field: "tenant" });
  assertMayHold(owner.tenant, scopes);
  if (owner.person !== undefined) await assertMayBelong(deps, owner.tenant, owner.person);
  return keyring.create({ ...owner, scopes }, { c, why });
}

/** Who operates Weir sees every tenant, so only the operators' own tenant has such keys. */
function assertMayHold(tenant: string, scopes: readonly Scope[]) {
  const scope = scopes.find((each) => OPERATOR_SCOPES.includes(each));
  if (tenant === OPERATORS || scope === undefined) return;
  throw new Failure("invalid_request", `scopes: only keys of the tenant '${OPERATORS}' may have the scope '${scope}'`, { field: "scopes" });
}

async function assertMayBelong(deps: KeyringDeps, tenant: string, person: string) {
  const refused = (message: string) => new Failure("invalid_request", `person: ${message}`, { field: "person" });
  if (tenant !== OPERATORS) throw refused(`only keys of the tenant '${OPERATORS}' belong to persons`);
  if (!(await personOf(deps, person)).body.isActive) throw refused(`'${person}' is not active`);
}

const DOOR = { root: "/admin/keys", scope: "operate" } as const;

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
    showPath(DOOR, "Shows a key"),
    {
      method: "patch",
      path: "/admin/keys/{id}",
      summary: "Replaces a key's own limits",
      scope: "operate",
      body: KeyChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The key", schema: KeyRevision },
      refusals: ["not_found", "conflict", "precondition_failed"],
    },
    rotatePath(DOOR, "Gives a key a new secret; the one so far stays good for the overlap. Of two rotations at once one is refused"),
    revokePath(DOOR, "Revokes a key: it is refused everywhere within 30 s"),
  ],
};
