import { Failure } from "../shared/base/failure.ts";
import type { Page, PageQuery } from "../shared/base/page.ts";
import type { Revision } from "../shared/dynamo/revision-log.ts";
import { KEYS_EVER_MAX, type Key, type KeyMint, type KeyOwner, keyGroupOf, makeKey, peppersOf, rotateKey } from "../shared/keys/key.ts";
import type { CreatedKey, KeyChange, KeyRevision, KeyRotation } from "../shared/keys/key-requests.ts";
import { changeOf, stamped } from "./admin/change.ts";
import { appendNext } from "./admin/if-match.ts";
import type { Deps } from "./deps.ts";
import type { EdgeContext } from "./env.ts";

export type KeyringDeps = Pick<Deps, "clock" | "ids" | "config" | "directory" | "keyUses"> & {
  readonly control: Pick<Deps["control"], "tenants" | "keys" | "people">;
};

/** What operators do with every tenant's keys and tenants with their own; who may do it to which key is decided by the routes. */
export type Keyring = ReturnType<typeof createKeyring>;

/** Longer than requests that were sent at once are apart. */
const JUST_ROTATED_MS = 60_000;

type Asked = { readonly c: EdgeContext; readonly why: string | undefined };

export function createKeyring(deps: KeyringDeps) {
  const { WEIR_ENV: env, WEIR_CELL: cell, WEIR_PEPPERS: peppers } = deps.config;
  const mint: KeyMint = { place: { env, cell }, ids: deps.ids, peppers: peppersOf(peppers) };
  return {
    create: (owner: KeyOwner, asked: Asked) => createKey(deps, { mint, owner }, asked),
    rotate: (current: Revision<Key>, rotation: KeyRotation, c: EdgeContext) => rotate(deps, { mint, current, rotation }, c),
    revoke: (current: Revision<Key>, asked: Asked) => revoke(deps, current, asked),
    limit: (current: Revision<Key>, change: KeyChange, c: EdgeContext) => limit(deps, { current, change }, c),
    show: (key: Revision<Key>) => show(deps, key),
    list: (tenant: string, query: PageQuery) => list(deps, tenant, query),
    /** The key of that id, if `isVisible`; a key that may not be seen is not found. */
    find: (id: string, isVisible: (key: Key) => boolean = () => true) => find(deps, id, isVisible),
  };
}

async function createKey(deps: KeyringDeps, made: { mint: KeyMint; owner: KeyOwner }, { c, why }: Asked): Promise<CreatedKey> {
  const { expiresAt } = made.owner;
  if (expiresAt !== undefined && Date.parse(expiresAt) <= deps.clock.nowMs()) {
    throw new Failure("invalid_request", "expiresAt: lies in the past", { field: "expiresAt" });
  }
  await assertRoom(deps, made.owner.tenant);
  const { key, text } = makeKey(made.mint, made.owner);
  const created = await deps.control.keys.append(key.id, 0, { body: key, change: changeOf(c, deps.clock, why) });
  return withText(c, created, text);
}

/** The index lags a write by moments, so a few too many may come through at once: it bounds work, not money. */
async function assertRoom({ control }: KeyringDeps, tenant: string) {
  const ever = await control.keys.count(keyGroupOf(tenant));
  if (ever < KEYS_EVER_MAX) return;
  throw new Failure("conflict", `The tenant has had ${ever} keys, revoked ones too, which is the most: rotate one that is there.`);
}

/** One conditional write: of two rotations at once one is refused, so that nobody holds a secret which was never in force. */
async function rotate(
  deps: KeyringDeps,
  { mint, current, rotation }: { mint: KeyMint; current: Revision<Key>; rotation: KeyRotation },
  c: EdgeContext,
): Promise<CreatedKey> {
  const nowMs = deps.clock.nowMs();
  const { id, isRevoked, expiresAt } = current.body;
  const isOver = isRevoked || (expiresAt !== undefined && Date.parse(expiresAt) <= nowMs);
  if (isOver) throw new Failure("conflict", "The key is revoked or has expired: make another one.", { field: "id" });
  if (rotation.overlapSeconds > 0) assertNotJustRotated(current, nowMs);
  const { key, text } = rotateKey(mint, current.body, nowMs + rotation.overlapSeconds * 1000);
  const change = changeOf(c, deps.clock, rotation.why);
  const rotated = await deps.control.keys.append(id, current.revision, { body: key, change });
  deps.directory.forget(id);
  return withText(c, rotated, text);
}

/**
 * Two who rotate within moments would both be answered, and end the secret that is in use although each was promised its overlap. After a minute it is meant: by
 * whom the answer was lost to, say. Without an overlap it is meant at once, for a secret that leaked.
 */
function assertNotJustRotated({ body, at }: Revision<Key>, nowMs: number) {
  const endsAt = body.previous?.endsAt;
  if (endsAt === undefined || Date.parse(endsAt) <= nowMs || nowMs - Date.parse(at) >= JUST_ROTATED_MS) return;
  throw new Failure(
    "conflict",
    `The key was rotated within this minute, and its secret before is good until ${endsAt}: rotating again would end that now. Do it in a minute, or say overlapSeconds 0.`,
    { field: "overlapSeconds" },
  );
}

/** Revoking twice changes nothing. */
async function revoke(deps: KeyringDeps, current: Revision<Key>, { c, why }: Asked): Promise<KeyRevision> {
  const { id, isRevoked } = current.body;
  if (isRevoked) return shownKey(current, undefined);
  const body = { ...current.body, isRevoked: true };
  const revoked = await deps.control.keys.append(id, current.revision, { body, change: changeOf(c, deps.clock, why) });
  deps.directory.forget(id);
  return shownKey(revoked, undefined);
}

async function limit(
  deps: KeyringDeps,
  { current, change }: { current: Revision<Key>; change: KeyChange },
  c: EdgeContext,
): Promise<KeyRevision> {
  const { id, isRevoked } = current.body;
  if (isRevoked) throw new Failure("conflict", "The key is revoked.", { field: "id" });
  const body = { ...current.body, limits: change.limits };
  const limited = await appendNext(c, deps.control.keys, { id, current, body, change: changeOf(c, deps.clock, change.why) });
  deps.directory.forget(id);
  return show(deps, limited);
}

async function find(deps: KeyringDeps, id: string, isVisible: (key: Key) => boolean): Promise<Revision<Key>> {
  const key = /^[0-9A-Za-z]{16}$/.test(id) ? await deps.control.keys.current(id) : undefined;
  if (key === undefined || !isVisible(key.body)) throw new Failure("not_found", `There is no key '${id.slice(0, 16)}'.`, { field: "id" });
  return key;
}

async function list(deps: KeyringDeps, tenant: string, query: PageQuery): Promise<Page<KeyRevision>> {
  const page = await deps.control.keys.list(keyGroupOf(tenant), query);
  const ids = page.items.map(({ body }) => body.id).sort();
  const [first, last] = [ids[0], ids.at(-1)];
  const uses = first === undefined || last === undefined ? new Map<string, string>() : await deps.keyUses.between(tenant, first, last);
  return { ...page, items: page.items.map((key) => shownKey(key, uses.get(key.body.id))) };
}

async function show(deps: KeyringDeps, key: Revision<Key>): Promise<KeyRevision> {
  const { id, tenant } = key.body;
  return shownKey(key, (await deps.keyUses.between(tenant, id, id)).get(id));
}

/** Named one by one: what a key's secret is checked with must not leave by an oversight. */
function shownKey(key: Revision<Key>, lastUsedAt: string | undefined): KeyRevision {
  const { id, tenant, name, scopes, isRevoked, person, models, cidrs, expiresAt, previous, limits } = key.body;
  const some = { person, models, cidrs, expiresAt, previousEndsAt: previous?.endsAt, limits, lastUsedAt };
  const said = Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined)) as Partial<typeof some>; // only names left out
  return stamped({ id, tenant, name, scopes, isRevoked, ...said }, key);
}

function withText(c: EdgeContext, key: Revision<Key>, text: string): CreatedKey {
  c.header("Cache-Control", "no-store");
  return { ...shownKey(key, undefined), key: text };
}
