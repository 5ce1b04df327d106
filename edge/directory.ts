import { hash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../shared/base/clock.ts";
import type { RevisionLog } from "../shared/dynamo/revision-log.ts";
import { isSecretOf, type Key, type KeyText, type Peppers } from "../shared/keys/key.ts";
import type { Principal } from "../shared/keys/principal.ts";
import { policiesOf } from "../shared/limits/policy.ts";
import { rightsOfScopes } from "../shared/people/rights.ts";
import type { Tenant } from "../shared/tenants/tenant.ts";
import { createCache } from "./cache.ts";

const KEY_FRESH_MS = 5_000;
/** A revoked key is refused everywhere after this time at the latest. */
const KEY_HARD_MS = 30_000;
const KEYS_MAX = 50_000;

export type DirectorySettings = {
  readonly keys: RevisionLog<Key>;
  readonly tenants: RevisionLog<Tenant>;
  readonly clock: Clock;
  readonly peppers: Peppers;
  readonly place: { readonly env: string; readonly cell: string };
};

/** Says who a key speaks for; keys and their tenants are cached, misses too. */
export type Directory = {
  /** Undefined for a key that is unknown, revoked, of another installation, with a wrong secret, or of a closed tenant. */
  readonly find: (key: KeyText) => Promise<Principal | undefined>;
};

type Entry = {
  readonly key: Key;
  readonly principal: Principal /** SHA-256 of a secret that the HMAC has proven: later requests compare with it for a fifth of the time. */;
  proof: Buffer | undefined;
};

export function createDirectory(settings: DirectorySettings): Directory {
  const cache = createCache({
    load: (id) => load(settings, id),
    clock: settings.clock,
    freshMs: KEY_FRESH_MS,
    hardMs: KEY_HARD_MS,
    itemsMax: KEYS_MAX,
  });
  return {
    async find(text) {
      const isOurs = text.env === settings.place.env && text.cell === settings.place.cell;
      const entry = isOurs ? await cache.get(text.id) : undefined;
      return entry && isProven(entry, text.secret, settings.peppers) ? entry.principal : undefined;
    },
  };
}

function isProven(entry: Entry, secret: string, peppers: Peppers): boolean {
  const digest = hash("sha256", secret, "buffer");
  if (entry.proof !== undefined) return timingSafeEqual(entry.proof, digest);
  if (!isSecretOf(entry.key, secret, peppers)) return false;
  entry.proof = digest;
  return true;
}

async function load(settings: DirectorySettings, id: string): Promise<Entry | undefined> {
  const key = (await settings.keys.current(id))?.body;
  if (key === undefined || key.isRevoked) return undefined;
  const tenant = (await settings.tenants.current(key.tenant))?.body;
  if (tenant === undefined || tenant.isClosed) return undefined;
  const scopes = rightsOfScopes(tenant.id, key.scopes);
  const models = key.models && new Set(key.models);
  const policies = policiesOf({ tenant, key });
  const principal = { keyId: id, tenant: tenant.id, scopes, policies, ...(models === undefined ? {} : { models }) };
  return { key, proof: undefined, principal };
}
