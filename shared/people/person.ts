import * as z from "zod";
import { RevisionStamp, Why } from "../base/revision.ts";
import { NAME_PATTERN } from "../tenants/tenant.ts";
import { Role } from "./rights.ts";

/** Somebody who operates Weir. Keys that name a person have the rights of the role while the person is active, and none after. */
export const Person = z.object({
  id: z.string().regex(NAME_PATTERN, "a person's id is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit"),
  name: z.string().min(1).max(200),
  role: Role,
  isActive: z.boolean(),
  /** The name is erased, in every revision, and what the person's keys said of them; the id stays, since the trail names it. */
  erasure: z
    .object({
      requestedAt: z.iso.datetime(),
      finishedAt: z.iso.datetime().exactOptional().meta({ description: "When all was looked for again and not found" }),
    })
    .exactOptional(),
});
export type Person = z.infer<typeof Person>;

/** A person as the admin API shows one. */
export const PersonRevision = Person.extend({ revision: RevisionStamp }).meta({ id: "Person" });
export type PersonRevision = z.infer<typeof PersonRevision>;

export const NewPerson = z.strictObject({ id: Person.shape.id, name: Person.shape.name, role: Role, why: Why.optional() });
export type NewPerson = z.infer<typeof NewPerson>;

export const PersonChange = z
  .strictObject({ name: Person.shape.name.optional(), role: Role.optional(), isActive: z.boolean().optional(), why: Why.optional() })
  .refine(({ why: _, ...fields }) => Object.keys(fields).length > 0, "say what to change: name, role or isActive");
export type PersonChange = z.infer<typeof PersonChange>;

/** The group that lists all people. */
export const PEOPLE_GROUP = "people";

/** Asked for, and not over. */
export function isErasing({ erasure }: Person): boolean {
  return erasure !== undefined && erasure.finishedAt === undefined;
}
