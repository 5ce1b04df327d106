import * as z from "zod";
import { Dtype, VersionFacts } from "../../shared/models/version.ts";

/** What the child says: that it has begun with the model, and its last word. One that begins and has no last word has crashed. */
export const GoldenAnswer = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("begun") }),
  z.object({ kind: z.literal("facts"), facts: VersionFacts }),
  z.object({ kind: z.literal("refused"), reason: z.string() }),
  z.object({ kind: z.literal("spent"), limit: z.enum(["time", "memory"]) }),
]);
export type GoldenAnswer = z.infer<typeof GoldenAnswer>;

/** What a model may use: processor time, so that a busy machine is not the model's fault, and resident memory. */
export const GoldenLimits = z.object({ timeoutMs: z.number(), memoryMib: z.number() });
export type GoldenLimits = Readonly<z.infer<typeof GoldenLimits>>;

/** The child's words on its command line. */
export const GoldenOrder = z.object({ folder: z.string(), dtype: Dtype, limits: GoldenLimits });
export type GoldenOrder = z.infer<typeof GoldenOrder>;
