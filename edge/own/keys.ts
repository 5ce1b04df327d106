import { isDeepStrictEqual } from "node:util";
import { Hono } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import type { Key } from "../../shared/keys/key.ts";
import { CreatedKey, KeyRevision, KeyRotation, NewOwnKey } from "../../shared/keys/key-requests.ts";
import { type Holder, isWithin, narrow } from "../../shared/keys/narrow.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson, readOptionalJson } from "../http.ts";
import { createKeyring, type Keyring, type KeyringDeps } from "../keyring.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathGroup } from "../openapi.ts";
import { revokePath, rotatePath, showPath } from "./key-paths.ts";

/** `/v1/keys`: a tenant's own keys. Another tenant's are not found, and nobody gets a secret that may do more than the asking key. */
export function ownKeyRoutes(deps: KeyringDeps) {
  const keyring = createKeyring(deps);
  const ownKey = (c: EdgeContext) => keyring.find(c.req.param("id") ?? "", isOwnOf(c));
  return (
    new Hono<EdgeEnv>()
      .use(requireScope("keys"))
      .get("/", async (c) => c.json(await keyring.list(c.get("principal").tenant, checked(c.req.query(), PageQuery))))
      .post("/", async (c) => c.json(await createOwnKey(deps, keyring, c), 201))
      .get("/:id", async (c) => c.json(await keyring.show(await ownKey(c))))
      .post("/:id/rotate", async (c) => {
        const rotation = await readOptionalJson(c, KeyRotation);
        const key = await ownKey(c);
        await assertNoMore(deps, c, key);
        return c.json(await keyring.rotate(key, rotation, c));
      })
      // Whatever a key may do, another one of its tenant may end it: in an emergency nobody looks for the right one.
      .delete("/:id", async (c) => {
        const key = await ownKey(c);
        assertNotLast(c, key);
        return c.json(await keyring.revoke(key, { c, why: undefined }));
      })
  );
}

/** As under `/admin/keys`: so that there is always an operator's key left. */
function assertNotLast(c: EdgeContext, { body }: Revision<Key>) {
  const { tenant, keyId } = c.get("principal");
  if (tenant === OPERATORS && body.id === keyId)
    throw new Failure("conflict", "An operator's key cannot revoke itself: use another operator's key.", { field: "id" });
}

function isOwnOf(c: EdgeContext): (key: Key) => boolean {
  const { tenant } = c.get("principal");
  return (key) => key.tenant === tenant;
}

async function createOwnKey(deps: KeyringDeps, keyring: Keyring, c: EdgeContext): Promise<CreatedKey> {
  const { why, name, limits, receipts, ...wanted } = await readJson(c, NewOwnKey);
  const asking = await askingKey(deps, c);
  const { tenant, person, limits: ownLimits } = asking.body;
  const grant = narrow(wanted, holderOf(c, asking.body));
  // A key that is held to limits of its own hands the same ones on; and a person's key makes that person's keys, which end with the role.
  const kept = { limits: ownLimits ?? limits, person, receipts };
  const said = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  return keyring.create({ tenant, name, ...grant, ...(person === undefined ? {} : { scopes: [] }), ...said }, { c, why });
}

/** A new secret is as good as a new key, so it may allow no more than a new key would. A key may always rotate itself. */
async function assertNoMore(deps: KeyringDeps, c: EdgeContext, { body }: Revision<Key>) {
  if (body.id === c.get("principal").keyId) return;
  const asking = await askingKey(deps, c);
  const isSamePerson = body.person === asking.body.person;
  // Limits are handed on as they are, so a key that has none of its own, or others, is more than a new one would be.
  const hasSameLimits = asking.body.limits === undefined || isDeepStrictEqual(body.limits, asking.body.limits);
  if (isSamePerson && hasSameLimits && isWithin(body, holderOf(c, asking.body))) return;
  throw new Failure("forbidden", "The key may do more than yours: rotate it with a key that may do as much.", { field: "id" });
}

/** As it is stored now: what is cached may be older than a change that narrowed it. */
async function askingKey(deps: KeyringDeps, c: EdgeContext): Promise<Revision<Key>> {
  const key = await deps.control.keys.current(c.get("principal").keyId);
  if (key === undefined || key.body.isRevoked) throw new Failure("unauthenticated", "The API key is missing or not valid.");
  return key;
}

function holderOf(c: EdgeContext, { models, cidrs, expiresAt }: Key): Holder {
  const rights = c.get("principal").scopes;
  return {
    rights,
    ...(models === undefined ? {} : { models }),
    ...(cidrs === undefined ? {} : { cidrs }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

const DOOR = { root: "/v1/keys", scope: "keys" } as const;

export const ownKeyPaths: PathGroup = {
  name: "own keys",
  summary:
    "A tenant's own keys. A key's text is `weir_<env>_<cell>_<id>_<secret><checksum>`; scanners find leaked ones by `weir_[a-z0-9]{1,16}_[a-z0-9]{1,16}_[0-9A-Za-z]{16}_[0-9A-Za-z]{38}`, whose last six characters are the CRC-32 of all before them in base62 (0-9A-Za-z).",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/keys",
      summary: "Lists the tenant's keys, revoked ones too",
      scope: "keys",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(KeyRevision) },
    },
    {
      method: "post",
      path: "/v1/keys",
      summary: "Makes a key that may do no more than the asking one; no other answer holds its text",
      scope: "keys",
      body: NewOwnKey,
      answer: { status: 201, summary: "The key, with its text", schema: CreatedKey },
      refusals: ["conflict"],
    },
    showPath(DOOR, "Shows a key of the tenant"),
    rotatePath(DOOR, "Gives a key that may do no more than the asking one a new secret; the one so far stays good for the overlap"),
    revokePath(DOOR, "Revokes a key of the tenant, be it the asking one: it is refused everywhere within 30 s"),
  ],
};
