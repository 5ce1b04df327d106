import * as z from "zod";
import { everySeconds, PLACE, parseEnvironment, Shards } from "../../shared/schedule/environment.ts";

const Environment = z.object({
  ...PLACE,
  /** Where documents lie. */
  WEIR_RECORDS_BUCKET: z.string().default("weir-records"),
  WEIR_S3_ENDPOINT: z.url().optional(),
  WEIR_SHARDS: Shards,
  WEIR_EVERY_SECONDS: everySeconds(60),
});

export type InvoicingConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): InvoicingConfig {
  return parseEnvironment("The invoicing function's environment", Environment, environment);
}
