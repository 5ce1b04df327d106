import * as z from "zod";

const Schedule = z.array(z.object({ fromMinute: z.string(), shardCount: z.int().min(1).max(16_384) })).min(1);

const Environment = z.object({
  AWS_REGION: z.string().default("us-east-1"),
  WEIR_TABLE_PREFIX: z.string().default("weir"),
  WEIR_DYNAMO_ENDPOINT: z.url().optional(),
  /** From which minute the ledger has how many shards, as the gateway has it; see shared/usage/row.ts. */
  WEIR_SHARDS: z
    .string()
    .default('[{"fromMinute":"","shardCount":1}]')
    .transform((text) => Schedule.parse(JSON.parse(text))),
  /** Between rounds, where a timer of this process makes them. */
  WEIR_EVERY_SECONDS: z.coerce.number().int().min(1).max(3_600).default(60),
});

export type BalancesConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): BalancesConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`The environment of balances is wrong:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
