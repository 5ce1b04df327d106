import { createHash, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto";
import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";

/** What a receipt says of one request: enough to find it in an invoice's rows, and nothing of what was asked or answered. */
export const Receipt = z
  .object({
    schema: z.literal(1),
    requestId: z.string(),
    tenant: z.string(),
    model: z.string().meta({ description: "The version that answered, such as `minilm@2`" }),
    task: z.string(),
    outcome: z.enum(["ok", "cancelled", "cut"]),
    inputs: z.int().min(0),
    inputTokens: z.int().min(0),
    outputTokens: z.int().min(0),
    computeMs: z.int().min(0),
    priceVersion: z.int().min(0),
    acceptedAt: z.iso.datetime(),
  })
  .meta({ id: "Receipt" });
export type Receipt = z.infer<typeof Receipt>;

/** Public keys as `/.well-known/weir-receipts` publishes them (RFC 7517 and RFC 8037). */
export const ReceiptKeySet = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        alg: z.literal("EdDSA"),
        use: z.literal("sig"),
        kid: z.string(),
        x: z.string(),
      }),
    ),
  })
  .meta({ id: "ReceiptKeySet" });
export type ReceiptKeySet = z.infer<typeof ReceiptKeySet>;

/** Signing keys by version; the highest signs, the others' signatures can still be checked. */
export type ReceiptKeys = ReadonlyMap<number, KeyObject>;

/** Reads signing keys as the environment holds them, `{"1":"…"}`: PKCS #8 in PEM or base64, or a long random text that a key is made of. */
export function receiptKeysOf(texts: Readonly<Record<string, string>>): ReceiptKeys {
  return new Map(Object.entries(texts).map(([version, text]) => [Number(version), privateKeyOf(text)]));
}

/** A compact JWS (RFC 7515) with EdDSA over canonical JSON. Undefined where there is no key to sign with. */
export function signReceipt(receipt: Receipt, keys: ReceiptKeys): string | undefined {
  const version = Math.max(...keys.keys());
  const key = keys.get(version);
  if (key === undefined) return undefined;
  const signed = `${base64url(headerOf(String(version)))}.${base64url(canonicalJson(receipt))}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

export function receiptKeySetOf(keys: ReceiptKeys): ReceiptKeySet {
  const published = [...keys].sort(([one], [other]) => one - other);
  return { keys: published.map(([version, key]) => ({ ...publicPartOf(key), alg: "EdDSA", use: "sig", kid: String(version) })) };
}

export type ReceiptCheck = { readonly isValid: true; readonly receipt: Receipt } | { readonly isValid: false; readonly reason: string };

/** Checks a receipt by published keys alone: needs no gateway and no secret. */
export function checkReceipt(text: string, { keys }: ReceiptKeySet): ReceiptCheck {
  const [header = "", payload = "", signature = "", ...more] = text.trim().split(".");
  const invalid = (reason: string) => ({ isValid: false, reason }) as const;
  if (signature === "" || more.length > 0) return invalid("it is not three parts with dots between them");
  const kid = Header.safeParse(jsonOf(header)).data?.kid;
  if (kid === undefined) return invalid("its header is not one of a receipt");
  const key = keys.find((each) => each.kid === kid);
  if (key === undefined) return invalid(`there is no key '${kid.slice(0, 20)}' among those that are published`);
  const publicKey = createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: "jwk" });
  if (!verify(null, Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, "base64url")))
    return invalid("its signature is not of what it says");
  const receipt = Receipt.safeParse(jsonOf(payload));
  return receipt.success
    ? { isValid: true, receipt: receipt.data }
    : invalid("it is signed, but of a form that this version does not know");
}

const Header = z.object({ alg: z.literal("EdDSA"), kid: z.string(), typ: z.literal("weir-receipt") });

function headerOf(kid: string): string {
  return canonicalJson({ alg: "EdDSA", kid, typ: "weir-receipt" } satisfies z.infer<typeof Header>);
}

/** What stands before a 32-byte seed in an Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const TEXT_CHARS_MIN = 32;

function privateKeyOf(text: string): KeyObject {
  if (text.includes("-----BEGIN")) return assertEd25519(createPrivateKey(text));
  const der = Buffer.from(text, "base64");
  if (der.subarray(0, PKCS8_HEAD.length).equals(PKCS8_HEAD))
    return assertEd25519(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  if (text.length < TEXT_CHARS_MIN) throw new Error(`a receipt key's text has ${text.length} characters, fewer than ${TEXT_CHARS_MIN}`);
  // CloudFormation makes random texts, not keys. A text's hash is as good a seed as its own chance was.
  const seed = createHash("sha256").update(`weir receipt key\n${text}`).digest();
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
}

function assertEd25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== "ed25519") throw new Error(`a receipt key is ${key.asymmetricKeyType}, not ed25519`);
  return key;
}

function publicPartOf(key: KeyObject) {
  const { x } = createPublicKey(key).export({ format: "jwk" }) as JsonWebKey & { x: string }; // every Ed25519 key has an x
  return { kty: "OKP", crv: "Ed25519", x } as const;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function jsonOf(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined;
  }
}
