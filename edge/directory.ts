import { hash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../shared/base/clock.ts";
import type { RevisionLog } from "../shared/dynamo/revision-log.ts";
import { createAddressLimit } from "../shared/keys/address.ts";
import { isSecretOf, type Key, type KeyText, type Peppers, type StoredSecret } from "../shared/keys/key.ts";
import type { Principal } from "../shared/keys/principal.ts";
import { REVOCATION_BOUND_MS } from "../shared/keys/revocation.ts";
import { policiesOf } from "../shared/limits/policy.ts";
import type { Person } from "../shared/people/person.ts";
import { RIGHTS_OF_ROLE, type Right, rightsOfScopes } from "../shared/people/rights.ts";
import { OPERATORS, type Tenant } from "../shared/tenants/tenant.ts";
import { createCache } from "./cache.ts";
import { createUnknownKeys } from "./unknown-keys.ts";

const KEY_FRESH_MS = 5_000;
/** A revoked key is refused everywhere after this time at the latest, and a person's new role is in force. */
const KEY_HARD_MS = REVOCATION_BOUND_MS;
const KEYS_MAX = 50_000;
/** Ids at which there is no key, or one that is good for nothing. */
const MISSES_MAX = 10_000;
/** A secret that does not fit may be newer than what is cached: the key is read again, but no more often than this. */
const REREAD_MS = 1_000;

export type DirectorySettings = {
  readonly keys: RevisionLog<Key>;
  readonly tenants: RevisionLog<Tenant>;
  readonly people: RevisionLog<Person>;
  readonly clock: Clock;
  readonly peppers: Peppers;
  /** Told of every request that a key was good for; must cost next to nothing. */
  readonly noteUse: (principal: Principal) => void;
  readonly place: { readonly env: string; readonly cell: string };
};

/** Asked only for keys that are limited to ranges, or that are not known here; undefined, if the caller's address is not known, lies in none of them. */
export type AddressOf = () => string | undefined;

/** Says who a key speaks for; keys, their tenants and their persons are cached, misses too. */
export type Directory = {
  /**
   * Undefined for a key that is unknown, revoked, expired, of another installation, with a wrong secret, from an address outside its
   * ranges, of a closed tenant, or of a person who is no longer active. Fails with `rate_limited` where too many unknown keys come from the same place.
   */
  readonly find: (key: KeyText, addressOf: AddressOf) => Promise<Principal | undefined>;
  /** Whoever has changed a key here sees it changed here at once; other gateways follow. */
  readonly forget: (keyId: string) => void;
};

/** What is precomputed when a key is read, so that a request compares numbers and one digest. */
type Entry = {
  /** When a secret that did not fit last made us read the key again. */
  rereadAtMs: number;
  readonly principal: Principal;
  /** The current one, and during a rotation the one before. */
  readonly secrets: readonly CachedSecret[];
  readonly expiresAtMs: number;
  readonly isAllowedFrom: ((address: string) => boolean) | undefined;
};

type CachedSecret = {
  readonly stored: StoredSecret;
  readonly endsAtMs: number;
  /** SHA-256 of the secret once the HMAC has proven it: later requests compare with it for a fifth of the time. */
  proof: Buffer | undefined;
};

export function createDirectory(settings: DirectorySettings): Directory {
  const { clock, peppers, place, noteUse } = settings;
  const cache = createCache({
    load: (id) => load(settings, id),
    clock,
    freshMs: KEY_FRESH_MS,
    hardMs: KEY_HARD_MS,
    itemsMax: KEYS_MAX,
    missesMax: MISSES_MAX,
  });
  const admitUnknown = createUnknownKeys({ clock, peppers });
  return {
    async find({ env, cell, id, secret }, addressOf) {
      if (env !== place.env || cell !== place.cell) return undefined;
      if (!cache.knows(id)) admitUnknown(id, addressOf());
      let entry = await cache.get(id);
      if (entry === undefined) return undefined;
      const nowMs = clock.nowMs();
      if (!isProven(entry, { secret, nowMs, peppers })) {
        // Another gateway may have rotated it since; what is cached stays until the store has answered.
        if (nowMs - entry.rereadAtMs < REREAD_MS) return undefined;
        entry.rereadAtMs = nowMs;
        entry = await cache.reload(id);
        if (entry === undefined) return undefined;
        entry.rereadAtMs = nowMs;
        if (!isProven(entry, { secret, nowMs, peppers })) return undefined;
      }
      // Asked of each request, cached or not: time and callers move while a key stays what it is.
      if (nowMs >= entry.expiresAtMs) return undefined;
      if (entry.isAllowedFrom !== undefined && !entry.isAllowedFrom(addressOf() ?? "")) return undefined;
      noteUse(entry.principal);
      return entry.principal;
    },
    forget: cache.forget,
  };
}

type Proof = { readonly secret: string; readonly nowMs: number; readonly peppers: Peppers };

function isProven({ secrets }: Entry, { secret, nowMs, peppers }: Proof): boolean {
  const digest = hash("sha256", secret, "buffer");
  for (const each of secrets) {
    if (nowMs >= each.endsAtMs) continue;
    if (each.proof !== undefined) {
      if (timingSafeEqual(each.proof, digest)) return true;
    } else if (isSecretOf(each.stored, secret, peppers)) {
      each.proof = digest;
      return true;
    }
  }
  return false;
}

async function load(settings: DirectorySettings, id: string): Promise<Entry | undefined> {
  const known = await settings.keys.current(id);
  const key = known?.body;
  if (known === undefined || key === undefined || key.isRevoked) return undefined;
  const [tenant, scopes] = await Promise.all([settings.tenants.current(key.tenant), rightsOf(settings, key)]);
  if (tenant === undefined || tenant.body.isClosed || scopes === undefined) return undefined;
  const models = key.models && new Set(key.models);
  const principal = {
    keyId: id,
    tenant: tenant.body.id,
    scopes,
    policies: policiesOf({ tenant: { ...tenant.body, revision: tenant.revision }, key: { ...key, revision: known.revision } }),
    ...(key.person === undefined ? {} : { person: key.person }),
    ...(models === undefined ? {} : { models }),
    ...(tenant.body.billing === undefined ? {} : { billing: tenant.body.billing }),
    ...duplicateWindowOf(tenant.body),
    ...(key.receipts === true ? { wantsReceipts: true } : {}),
  };
  const expiresAtMs = key.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(key.expiresAt);
  const isAllowedFrom = key.cidrs && createAddressLimit(key.cidrs);
  return { rereadAtMs: Number.NEGATIVE_INFINITY, principal, secrets: secretsOf(key), expiresAtMs, isAllowedFrom };
}

function duplicateWindowOf({ duplicateWindowSeconds: seconds = 0 }: Tenant): Pick<Principal, "duplicateWindowMs"> {
  return seconds === 0 ? {} : { duplicateWindowMs: seconds * 1000 };
}

/** Undefined for a key of somebody who may do nothing. */
async function rightsOf({ people }: DirectorySettings, key: Key): Promise<ReadonlySet<Right> | undefined> {
  if (key.person === undefined) return rightsOfScopes(key.tenant, key.scopes);
  const person = key.tenant === OPERATORS ? (await people.current(key.person))?.body : undefined;
  return person?.isActive === true ? new Set(RIGHTS_OF_ROLE[person.role]) : undefined;
}

function secretsOf(key: Key): readonly CachedSecret[] {
  const current: CachedSecret = { stored: key, endsAtMs: Number.POSITIVE_INFINITY, proof: undefined };
  if (key.previous === undefined) return [current];
  return [current, { stored: key.previous, endsAtMs: Date.parse(key.previous.endsAt), proof: undefined }];
}
