import * as z from "zod";

const PlaceName = z.string().regex(/^[a-z0-9]{1,16}$/);

const Environment = z
  .object({
    AWS_REGION: z.string().default("us-east-1"),
    WEIR_TABLE_PREFIX: z.string().default("weir"),
    WEIR_DYNAMO_ENDPOINT: z.url().optional(),
    /** Names of the installation that stand in every key, as the gateway has them. */
    WEIR_ENV: PlaceName.default("local"),
    WEIR_CELL: PlaceName.default("c1"),
    /** Where callers reach the gateway: the canary goes through everything that they go through. */
    WEIR_GATEWAY_URL: z.url(),
    /** HMAC peppers by version, `{"1":"…"}`, as the gateway has them: the canary's key is made with one. */
    WEIR_PEPPERS: z.string().optional(),
    /** Where they lie in Secrets Manager, in the cloud. */
    WEIR_SECRET_PEPPERS: z.string().optional(),
    /** Between rounds, where a timer of this process makes them. */
    WEIR_EVERY_SECONDS: z.coerce.number().int().min(1).max(3_600).default(60),
  })
  .refine(({ WEIR_PEPPERS, WEIR_SECRET_PEPPERS }) => (WEIR_PEPPERS ?? WEIR_SECRET_PEPPERS) !== undefined, {
    path: ["WEIR_PEPPERS"],
    error: "say WEIR_PEPPERS or WEIR_SECRET_PEPPERS",
  });

export type CaretakerConfig = z.infer<typeof Environment>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): CaretakerConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`The caretaker's environment is wrong:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

const PepperTexts = z.record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(16));

export function parsePeppers(text: string): Readonly<Record<string, string>> {
  return PepperTexts.parse(JSON.parse(text));
}
