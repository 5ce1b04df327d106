import * as z from "zod";
import type { Clock } from "../../shared/base/clock.ts";
import { unlessConflict } from "../../shared/base/failure.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { isSecretOf, type Key, type KeyMint, makeKey, parseKeyText, type Scope } from "../../shared/keys/key.ts";
import { RATE_DEFAULT, type Tenant } from "../../shared/tenants/tenant.ts";
import { readPrivateJson, writePrivateJson } from "./private-file.ts";

/** What first keys are made with. They go straight into the stores: there is no key yet to ask the API with. */
export type KeyMaker = {
  readonly tenants: RevisionLog<Tenant>;
  readonly keys: RevisionLog<Key>;
  readonly mint: KeyMint;
  readonly clock: Clock;
};

export type FirstKey = {
  readonly tenant: Pick<Tenant, "id" | "name">;
  readonly scopes: readonly Scope[];
  /** The file that remembers the key between starts, and tells the CLI where the gateway is. */
  readonly path: string;
};

/** `operator.json` and `demo.json`: who may read one of them holds its key. */
export const KeyFile = z.object({ url: z.url(), key: z.string() });
export type KeyFile = z.infer<typeof KeyFile>;

const RENEW = "delete it, and the next start makes a new key";

/** Gives a tenant, made if absent, a key that works: the remembered one, or a new one if there is none or it was revoked. */
export async function provideKey(maker: KeyMaker, wanted: FirstKey, url: string): Promise<string> {
  await provideTenant(maker, wanted.tenant);
  const remembered = readPrivateJson(wanted.path, KeyFile, RENEW)?.key;
  const key = remembered !== undefined && (await works(maker, remembered)) ? remembered : await makeStoredKey(maker, wanted);
  writePrivateJson(wanted.path, { url, key } satisfies KeyFile);
  return key;
}

async function provideTenant(maker: KeyMaker, { id, name }: FirstKey["tenant"]) {
  const body = { id, name, isClosed: false, rate: RATE_DEFAULT };
  // There since an earlier start, perhaps changed by an operator since then: it stays as it is.
  await unlessConflict(maker.tenants.append(id, 0, { body, change: changeOf(maker) }));
}

async function works(maker: KeyMaker, text: string): Promise<boolean> {
  const read = parseKeyText(text);
  const stored = read && (await maker.keys.current(read.id));
  return read !== undefined && stored !== undefined && !stored.body.isRevoked && isSecretOf(stored.body, read.secret, maker.mint.peppers);
}

async function makeStoredKey(maker: KeyMaker, { tenant, scopes }: FirstKey): Promise<string> {
  const { key, text } = makeKey(maker.mint, { tenant: tenant.id, name: "first key", scopes: [...scopes] });
  await maker.keys.append(key.id, 0, { body: key, change: changeOf(maker) });
  return text;
}

function changeOf({ clock }: KeyMaker) {
  return { by: "local", why: "first start of this machine", atMs: clock.nowMs() };
}
