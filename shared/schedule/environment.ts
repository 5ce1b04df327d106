import * as z from "zod";
import { AWS_IDENTITY } from "../aws/credentials.ts";
import { ShardSchedule } from "../usage/row.ts";

/** What every function that comes round by itself is told of where it is. */
export const PLACE = {
  ...AWS_IDENTITY,
  AWS_REGION: z.string().default("us-east-1"),
  WEIR_TABLE_PREFIX: z.string().default("weir"),
  WEIR_DYNAMO_ENDPOINT: z.url().optional(),
} as const;

/** Between rounds, where a timer of this process makes them. */
export const everySeconds = (seconds: number) => z.coerce.number().int().min(1).max(3_600).default(seconds);

/** From which minute the ledger has how many shards, as the gateway has it; see shared/usage/row.ts. */
export const Shards = z
  .string()
  .default('[{"fromMinute":"","shardCount":1}]')
  .transform((text) => ShardSchedule.parse(JSON.parse(text)));

/** HMAC peppers by version, `{"1":"…"}`, as the gateway has them: as a text, or where they lie in Secrets Manager, in the cloud. */
export const PEPPERS = { WEIR_PEPPERS: z.string().optional(), WEIR_SECRET_PEPPERS: z.string().optional() } as const;

type Peppers = { readonly WEIR_PEPPERS?: string | undefined; readonly WEIR_SECRET_PEPPERS?: string | undefined };

/** For `refine`: one of the two has to be said. */
export const hasPeppers = ({ WEIR_PEPPERS, WEIR_SECRET_PEPPERS }: Peppers) => (WEIR_PEPPERS ?? WEIR_SECRET_PEPPERS) !== undefined;
export const NO_PEPPERS = { path: ["WEIR_PEPPERS"], error: "say WEIR_PEPPERS or WEIR_SECRET_PEPPERS" };

const PepperTexts = z.record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(16));

export function parsePeppers(text: string): Readonly<Record<string, string>> {
  return PepperTexts.parse(JSON.parse(text));
}

/** Parses an environment once; throws a sentence that names whose it is and what is wrong. */
export function parseEnvironment<T>(whose: string, schema: z.ZodType<T>, environment: Readonly<Record<string, string | undefined>>): T {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) throw new Error(`${whose} is wrong:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
