import * as z from "zod";
import { everySeconds, hasPeppers, NO_PEPPERS, PEPPERS, PLACE, parseEnvironment } from "../../shared/schedule/environment.ts";

const Environment = z
  .object({
    ...PLACE,
    /** HMAC peppers by version, `{"1":"…"}`, as the gateway has them: secrets of webhooks are derived from them. */
    ...PEPPERS,
    /** `any` lets webhooks lead to this machine, and by http: for one machine and its tests. */
    WEIR_WEBHOOK_TARGETS: z.enum(["public", "any"]).default("public"),
    WEIR_EVERY_SECONDS: everySeconds(5),
  })
  .refine(hasPeppers, NO_PEPPERS);

export type WebhooksConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): WebhooksConfig {
  return parseEnvironment("The environment of webhooks", Environment, environment);
}
