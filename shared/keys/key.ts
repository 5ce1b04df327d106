import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import * as z from "zod";
import { type Ids, toBase62 } from "../base/id.ts";
import { KeyLimits } from "../limits/policy.ts";
import { Cidr } from "./address.ts";

/**
 * What a key may do. Tenants' keys have `infer`, `usage` and `keys` (their own keys); the others open parts of `/admin` and are for
 * operators' keys alone: `models`, `rollouts`, `billing`, and `operate`, which implies every right there.
 */
export const Scope = z.enum(["infer", "usage", "keys", "models", "rollouts", "billing", "operate"]);
export type Scope = z.infer<typeof Scope>;

export const KEY_MODELS_MAX = 100;
export const KEY_CIDRS_MAX = 50;
/** Revoked ones too: they stay in the log, and lists and a tenant's deletion go through all of them. */
export const KEYS_EVER_MAX = 10_000;

/** A reference that a limited key may name: `minilm` with all its versions and aliases, or `minilm@2` and nothing else. */
const LimitedModel = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}(@[1-9][0-9]{0,8})?$/, "a model is named like minilm, or minilm@2");

const StoredSecret = z.object({ secretHmac: z.string(), pepperVersion: z.int().positive() });
export type StoredSecret = z.infer<typeof StoredSecret>;

/** A key as it is stored: never the secret, only its HMAC under a versioned pepper. */
export const Key = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string().min(1).max(200),
  /** None for a person's key. */
  scopes: z.array(Scope),
  ...StoredSecret.shape,
  isRevoked: z.boolean(),
  /** Absent, all models that its tenant may use. */
  models: z.array(LimitedModel).min(1).max(KEY_MODELS_MAX).optional(),
  /** Where it may be used from; absent, from anywhere. */
  cidrs: z.array(Cidr).min(1).max(KEY_CIDRS_MAX).optional(),
  /** The first instant at which it is refused. */
  expiresAt: z.iso.datetime().optional(),
  /** The secret before the last rotation, and the first instant at which that one is refused. */
  previous: StoredSecret.extend({ endsAt: z.iso.datetime() }).optional(),
  /** Whose key it is (operators only): what it may do then follows from that person's role. */
  person: z.string().optional(),
  /** Of its own, beside its tenant's. */
  limits: KeyLimits.optional(),
  /** Whether its answers bring a signed receipt without being asked for one. */
  receipts: z.boolean().optional(),
});
export type Key = z.infer<typeof Key>;

/** The group that lists a tenant's keys. */
export const keyGroupOf = (tenant: string) => `keys#${tenant}`;

/** A key as it is read off a request: `weir_<env>_<cell>_<id>_<32 base62 secret><6 base62 CRC-32>`. */
export type KeyText = { readonly env: string; readonly cell: string; readonly id: string; readonly secret: string };

/** Peppers by version; the highest makes new HMACs, the others still check old ones. */
export type Peppers = ReadonlyMap<number, KeyObject>;

/** Reads peppers as the environment holds them, `{"1":"…"}`. */
export function peppersOf(texts: Readonly<Record<string, string>>): Peppers {
  return new Map(Object.entries(texts).map(([version, text]) => [Number(version), createSecretKey(text, "utf8")]));
}

/** The pepper that new keys are made with. */
export function newestPepper(peppers: Peppers): { version: number; pepper: KeyObject } {
  const version = Math.max(...peppers.keys());
  const pepper = peppers.get(version);
  if (pepper === undefined) throw new Error("there is no pepper to make keys with");
  return { version, pepper };
}

/** What keys are made with: the installation's names, chance, and the pepper. */
export type KeyMint = { readonly place: { readonly env: string; readonly cell: string }; readonly ids: Ids; readonly peppers: Peppers };

/** What a key is for, and what it may do. */
export type KeyOwner = Omit<Key, "id" | "isRevoked" | "previous" | keyof StoredSecret>;

/** Makes a key as it is stored, and the text for its owner, which is shown once and never stored. */
export function makeKey(mint: KeyMint, owner: KeyOwner): { key: Key; text: string } {
  const id = newKeyId(mint);
  const { secret, text } = makeKeyText(mint.place, mint.ids, id);
  return { key: { id, ...owner, ...storedSecretOf(mint, secret), isRevoked: false }, text };
}

/** Gives a key a new secret. The one so far is good until `endsAtMs`; one before that, if its overlap still runs, ends now. */
export function rotateKey(mint: KeyMint, key: Key, endsAtMs: number): { key: Key; text: string } {
  const { secret, text } = makeKeyText(mint.place, mint.ids, key.id);
  const { secretHmac, pepperVersion } = key;
  const previous = { secretHmac, pepperVersion, endsAt: new Date(endsAtMs).toISOString() };
  return { key: { ...key, ...storedSecretOf(mint, secret), previous }, text };
}

function storedSecretOf({ peppers }: KeyMint, secret: string): StoredSecret {
  const { version, pepper } = newestPepper(peppers);
  return { secretHmac: secretHmacOf(secret, pepper), pepperVersion: version };
}

const KEY_FORM = /^(weir_([a-z0-9]{1,16})_([a-z0-9]{1,16})_([0-9A-Za-z]{16})_([0-9A-Za-z]{32}))([0-9A-Za-z]{6})$/;

/** By chance, 59 bits: so that ids do not meet. */
const ID_STEM_CHARS = 10;
const ID_MARK_CHARS = 6;

/**
 * A new key's id. Its end is a mark that only who has the peppers can make: ids that somebody makes up are told from it without a look into the store. Ids from before
 * there were marks have the same form.
 */
export function newKeyId({ ids, peppers }: Pick<KeyMint, "ids" | "peppers">): string {
  const stem = ids.base62(ID_STEM_CHARS);
  return stem + markOf(stem, newestPepper(peppers).pepper);
}

/** Whether this installation has made an id, with whichever of its peppers. One without its mark may be older than marks. */
export function isMarkedKeyId(id: string, peppers: Peppers): boolean {
  const stem = id.slice(0, ID_STEM_CHARS);
  // Not in constant time: a mark that was guessed buys one read, and its 32 bits cost more than that.
  return [...peppers.values()].some((pepper) => stem + markOf(stem, pepper) === id);
}

/** Never what a secret is hashed to: no secret has a space. */
function markOf(stem: string, pepper: KeyObject): string {
  return toBase62(createHmac("sha256", pepper).update(`key id ${stem}`).digest().readUInt32BE(0), ID_MARK_CHARS);
}

/** Makes a key's secret; the text is shown to its owner once and never stored. */
export function makeKeyText(place: { env: string; cell: string }, ids: Ids, id: string): { secret: string; text: string } {
  const secret = ids.base62(32);
  const body = `weir_${place.env}_${place.cell}_${id}_${secret}`;
  return { secret, text: body + checksumOf(body) };
}

/** Reads a key's text without any I/O; undefined if its form or its checksum is wrong. */
export function parseKeyText(text: string): KeyText | undefined {
  const match = KEY_FORM.exec(text);
  if (match === null) return undefined;
  const [, body = "", env = "", cell = "", id = "", secret = "", checksum = ""] = match;
  return checksumOf(body) === checksum ? { env, cell, id, secret } : undefined;
}

/** HMAC-SHA-256 of a secret, hexadecimal. The secret has 190 bits of entropy, so a slow hash would add nothing. */
export function secretHmacOf(secret: string, pepper: KeyObject): string {
  return createHmac("sha256", pepper).update(secret).digest("hex");
}

/** Compares in constant time, so that a wrong secret tells nothing by its answer's time. */
export function isSecretOf(stored: StoredSecret, secret: string, peppers: Peppers): boolean {
  const pepper = peppers.get(stored.pepperVersion);
  if (pepper === undefined) return false;
  const expected = Buffer.from(stored.secretHmac, "hex");
  const given = createHmac("sha256", pepper).update(secret).digest();
  return expected.length === given.length && timingSafeEqual(expected, given);
}

function checksumOf(body: string): string {
  return toBase62(crc32(body), 6);
}
