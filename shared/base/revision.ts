import * as z from "zod";

export const WHY_CHARACTERS_MAX = 500;

/** Why somebody changes something: a sentence for the people who read the history. */
export const Why = z.string().max(WHY_CHARACTERS_MAX);

/** Who made a thing what it is, when and why: part of every answer that shows something which people change. */
export const RevisionStamp = z
  .object({
    number: z.int().positive(),
    by: z.string().meta({ description: "Id of the key that made the change, or the part of Weir that did" }),
    person: z.string().exactOptional().meta({ description: "Whose key it was, if it is a person's" }),
    why: z.string(),
    at: z.iso.datetime(),
  })
  .meta({ id: "Revision" });
export type RevisionStamp = z.infer<typeof RevisionStamp>;
