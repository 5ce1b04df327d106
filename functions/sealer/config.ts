import * as z from "zod";
import { everySeconds, PLACE, parseEnvironment, Shards } from "../../shared/schedule/environment.ts";

const Environment = z.object({
  ...PLACE,
  WEIR_SHARDS: Shards,
  WEIR_EVERY_SECONDS: everySeconds(60),
});

export type SealerConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): SealerConfig {
  return parseEnvironment("The sealer's environment", Environment, environment);
}
