import { z } from "zod";
import { Dtype, VersionFacts } from "../../shared/models/version.ts";

/** What the child says before it ends; a child that says nothing has crashed or was killed. */
export const GoldenAnswer = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("facts"), facts: VersionFacts }),
  z.object({ kind: z.literal("refused"), reason: z.string() }),
  z.object({ kind: z.literal("memory") }),
]);
export type GoldenAnswer = z.infer<typeof GoldenAnswer>;

/** The child's words on its command line. */
export const GoldenOrder = z.object({ folder: z.string(), dtype: Dtype, memoryMib: z.number() });
export type GoldenOrder = z.infer<typeof GoldenOrder>;
