import * as z from "zod";

const Environment = z.object({
  AWS_REGION: z.string().default("us-east-1"),
  WEIR_TABLE_PREFIX: z.string().default("weir"),
  WEIR_DYNAMO_ENDPOINT: z.url().optional(),
  /** Between rounds, where a timer of this process makes them. */
  WEIR_EVERY_SECONDS: z.coerce.number().int().min(1).max(3_600).default(60),
});

export type CaretakerConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): CaretakerConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`The caretaker's environment is wrong:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
