import { tmpdir } from "node:os";
import * as z from "zod";
import { AWS_IDENTITY } from "../../shared/aws/credentials.ts";

const Environment = z.object({
  ...AWS_IDENTITY,
  AWS_REGION: z.string().default("us-east-1"),
  /** Set by Lambda, where events come from. */
  AWS_LAMBDA_RUNTIME_API: z.string().optional(),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  WEIR_HOST: z.string().default("127.0.0.1"),
  WEIR_TABLE_PREFIX: z.string().default("weir"),
  WEIR_BUCKET: z.string().default("weir-models"),
  WEIR_DYNAMO_ENDPOINT: z.url().optional(),
  WEIR_S3_ENDPOINT: z.url().optional(),
  /** Where folders lie while they are checked. */
  WEIR_WORK_DIR: z.string().default(tmpdir()),
  /** A folder must fit on this function's disk to be checked. */
  WEIR_FOLDER_MIB_MAX: z.coerce.number().int().positive().default(8_192),
  /** Processor time and memory that a version may take to load and to answer its golden requests. */
  WEIR_GOLDEN_TIMEOUT_MS: z.coerce.number().int().positive().default(20_000),
  WEIR_GOLDEN_MEMORY_MIB: z.coerce.number().int().min(256).default(4_096),
  /** Versions checked at once, so that one that never ends does not hold up the others. */
  WEIR_CHECKS_AT_ONCE: z.coerce.number().int().min(1).max(64).default(2),
  WEIR_CHECKS_WAITING_MAX: z.coerce.number().int().min(1).default(1_000),
});

export type IntakeConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): IntakeConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`Intake's environment is wrong:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
