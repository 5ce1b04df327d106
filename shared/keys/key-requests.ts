import * as z from "zod";
import { RevisionStamp, Why } from "../base/revision.ts";
import { KeyLimits } from "../limits/policy.ts";
import { Key, Scope } from "./key.ts";

const OVERLAP_SECONDS_DEFAULT = 86_400;
const OVERLAP_SECONDS_MAX = 30 * 86_400;

/** A key as APIs show it: nothing that the secret could be guessed or checked by. */
export const KeyRevision = Key.omit({ secretHmac: true, pepperVersion: true, previous: true })
  .extend({
    previousEndsAt: z.iso.datetime().optional().meta({ description: "Until then the secret before the last rotation is good, too" }),
    lastUsedAt: z.iso.datetime().optional().meta({ description: "Told with a lag of up to 15 minutes" }),
    revision: RevisionStamp,
  })
  .meta({ id: "Key" });
export type KeyRevision = z.infer<typeof KeyRevision>;

/** The only answer that holds a key's text. */
export const CreatedKey = KeyRevision.extend({ key: z.string() }).meta({ id: "CreatedKey" });
export type CreatedKey = z.infer<typeof CreatedKey>;

const Scopes = z
  .array(Scope)
  .min(1)
  .refine((scopes) => new Set(scopes).size === scopes.length, "each scope may appear once");

const Wanted = {
  name: Key.shape.name,
  models: Key.shape.models.meta({ description: "Names such as `minilm` (all versions) and `minilm@2`; absent, all models" }),
  cidrs: Key.shape.cidrs.meta({ description: "Where it may be used from, such as `10.0.0.0/8`; absent, from anywhere" }),
  expiresAt: Key.shape.expiresAt.meta({ description: "The first instant at which it is refused" }),
  limits: KeyLimits.optional(),
  receipts: Key.shape.receipts.meta({
    description: "Whether its answers bring a signed receipt, `Weir-Receipt`, without being asked for one",
  }),
  why: Why.optional(),
};

/** What an operator makes a key of; a person's key has no scopes of its own. */
export const NewKey = z
  .strictObject({ tenant: Key.shape.tenant, scopes: Scopes.optional(), person: Key.shape.person, ...Wanted })
  .refine(({ scopes, person }) => (scopes === undefined) !== (person === undefined), {
    path: ["scopes"],
    error: "say what the key may do by its scopes, or whose key it is by `person`, whose role then says it",
  });
export type NewKey = z.infer<typeof NewKey>;

/** What a tenant makes a key of its own of; what is not said is as the asking key has it. */
export const NewOwnKey = z.strictObject({ scopes: Scopes, ...Wanted }).meta({ id: "NewOwnKey" });
export type NewOwnKey = z.infer<typeof NewOwnKey>;

/** `limits` replaces all that there were; empty, it takes them away. */
export const KeyChange = z.strictObject({ limits: KeyLimits, why: Why.optional() }).meta({ id: "KeyChange" });
export type KeyChange = z.infer<typeof KeyChange>;

export const KeyRotation = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(OVERLAP_SECONDS_MAX)
      .default(OVERLAP_SECONDS_DEFAULT)
      .meta({ description: "How long the secret so far stays good; 0 ends it now, everywhere within 30 s" }),
    why: Why.optional(),
  })
  .meta({ id: "KeyRotation" });
export type KeyRotation = z.infer<typeof KeyRotation>;
