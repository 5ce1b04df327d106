import * as z from "zod";
import { everySeconds, hasPeppers, NO_PEPPERS, PEPPERS, PLACE, parseEnvironment } from "../../shared/schedule/environment.ts";

const PlaceName = z.string().regex(/^[a-z0-9]{1,16}$/);

const Environment = z
  .object({
    ...PLACE,
    /** Names of the installation that stand in every key, as the gateway has them. */
    WEIR_ENV: PlaceName.default("local"),
    WEIR_CELL: PlaceName.default("c1"),
    /** Where documents and large kept answers lie. */
    WEIR_RECORDS_BUCKET: z.string().default("weir-records"),
    WEIR_S3_ENDPOINT: z.url().optional(),
    /** Where callers reach the gateway: the canary goes through everything that they go through. */
    WEIR_GATEWAY_URL: z.url(),
    /** HMAC peppers by version, `{"1":"…"}`, as the gateway has them: the canary's key is made with one. */
    ...PEPPERS,
    WEIR_EVERY_SECONDS: everySeconds(60),
  })
  .refine(hasPeppers, NO_PEPPERS);

export type CaretakerConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): CaretakerConfig {
  return parseEnvironment("The caretaker's environment", Environment, environment);
}
