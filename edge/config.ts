import * as z from "zod";
import { AWS_IDENTITY } from "../shared/aws/credentials.ts";
import { Cidr } from "../shared/keys/address.ts";
import {
  ENGINE_ORIGINS_MAX,
  type EngineCredential,
  EngineOrigin,
  type EngineRules,
  parseEngineCredential,
} from "../shared/models/engine-rules.ts";
import { ShardSchedule, Tier } from "../shared/usage/row.ts";
import { GENERATION_SECONDS_MAX, REQUEST_TIMEOUT_MS } from "./limits.ts";

const jsonOf = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown; // the schema that follows checks it
      } catch {
        context.addIssue("must be JSON");
        return z.NEVER;
      }
    })
    .pipe(schema);

/** How a function is reached. */
const FunctionDoor = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("http"), url: z.url() }),
  z.object({ kind: z.literal("lambda"), functionName: z.string().min(1) }),
]);

export type FunctionDoor = z.infer<typeof FunctionDoor>;

/** Small models in the gateway's own process (edge/wasm). */
const WasmDoor = z.object({
  kind: z.literal("wasm"),
  /** Where versions' files are kept between starts; this pool's alone. */
  cacheDir: z.string().min(1),
  cacheMib: z.int().min(1).max(1_000_000).default(1_024),
  /** Runs side by side. */
  threads: z.int().min(1).max(64).default(1),
  /** WebAssembly memory of all threads together; one can address 4 GiB. A quarter of a thread's share is what a model's weights may take. */
  memoryMib: z.int().min(64).max(65_536).default(512),
});
export type WasmDoor = z.infer<typeof WasmDoor>;

/** A pool is where models run, with its tier and its door: a deployed inference function, or threads of the gateway. */
const Pool = z
  .object({ name: z.string().min(1), tier: Tier })
  .and(z.discriminatedUnion("kind", [...FunctionDoor.options, WasmDoor]))
  .refine(({ tier, kind }) => (tier === "edge") === (kind === "wasm"), "the tier edge, and no other, is of kind wasm");
export type PoolSettings = z.infer<typeof Pool>;

/**
 * Whom we believe about who calls: address ranges of proxies, whose `X-Forwarded-For` counts; or a header that the hop before us overwrites
 * on every request, as CloudFront's function does. None, and only the socket counts.
 */
const TrustedProxies = z.union([
  z.array(Cidr).max(100),
  z.strictObject({ header: z.string().regex(/^[a-z0-9-]{1,64}$/, "a header's name, in lowercase") }),
]);
export type TrustedProxies = z.infer<typeof TrustedProxies>;

const Environment = z.object({
  ...AWS_IDENTITY,
  AWS_REGION: z.string().default("us-east-1"),
  WEIR_HOST: z.string().default("127.0.0.1"),
  WEIR_PORT: z.coerce.number().int().min(0).max(65_535).default(8787),
  /** Names of the installation that stand in every key. */
  WEIR_ENV: z
    .string()
    .regex(/^[a-z0-9]{1,16}$/)
    .default("local"),
  WEIR_CELL: z
    .string()
    .regex(/^[a-z0-9]{1,16}$/)
    .default("c1"),
  WEIR_TABLE_PREFIX: z.string().default("weir"),
  WEIR_BUCKET: z.string().default("weir-models"),
  /** Where answers are kept for a retry, and documents that were issued. */
  WEIR_RECORDS_BUCKET: z.string().default("weir-records"),
  WEIR_DYNAMO_ENDPOINT: z.url().optional(),
  WEIR_S3_ENDPOINT: z.url().optional(),
  /** HMAC peppers by version, `{"1":"…"}`; the highest makes new keys. */
  WEIR_PEPPERS: jsonOf(z.record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(16))),
  /** Keys that sign receipts by version, `{"1":"…"}`; the highest signs. None: nothing is signed. */
  WEIR_RECEIPT_KEYS: jsonOf(z.record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(32))).default({}),
  WEIR_POOLS: jsonOf(z.array(Pool)),
  WEIR_INTAKE: jsonOf(FunctionDoor),
  /** From which minute the ledger has how many shards; see shared/usage/row.ts. */
  WEIR_SHARDS: jsonOf(ShardSchedule).default([{ fromMinute: "", shardCount: 1 }]),
  /** Secrets that CloudFront adds as `Weir-Origin`; two are valid during a rotation, none means no check. */
  WEIR_ORIGIN_SECRETS: jsonOf(z.array(z.string().min(16)).max(2)).default([]),
  WEIR_TRUSTED_PROXIES: jsonOf(TrustedProxies).default([]),
  /** Origins of foreign engines that versions may name wherever they lead, such as those of a private network; `"*"` is every one, for one machine and its tests. */
  WEIR_ENGINE_ORIGINS: jsonOf(z.union([z.literal("*"), z.array(EngineOrigin).max(ENGINE_ORIGINS_MAX)])).default([]),
  /** Where webhooks may lead: `any` is for one machine and its tests. */
  WEIR_WEBHOOK_TARGETS: z.enum(["public", "any"]).default("public"),
  /** How long a generation may take that is answered as a whole. All proxies before this gateway have to bear so long a silence. */
  WEIR_GENERATION_SECONDS: z.coerce
    .number()
    .int()
    .min(5)
    .max(GENERATION_SECONDS_MAX)
    .default(REQUEST_TIMEOUT_MS / 1_000),
  /** Folder with swagger-ui's files for /docs. */
  WEIR_DOCS_ASSETS: z.string().optional(),
});

export type EdgeConfig = z.infer<typeof Environment> & {
  /** Which foreign engines may be called; their keys are all variables named WEIR_UPSTREAM_… */
  readonly engines: EngineRules;
};

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): EdgeConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`The gateway's environment is wrong:\n${z.prettifyError(parsed.error)}`);
  const { WEIR_TRUSTED_PROXIES: proxies, WEIR_ORIGIN_SECRETS: origins } = parsed.data;
  // Without the secret anybody could come past the hop that overwrites the header, and say who they are.
  if (!Array.isArray(proxies) && origins.length === 0) {
    throw new Error("The gateway's environment is wrong:\n✖ WEIR_TRUSTED_PROXIES names a header, so WEIR_ORIGIN_SECRETS must be set");
  }
  return { ...parsed.data, engines: { origins: parsed.data.WEIR_ENGINE_ORIGINS, credentials: credentialsOf(environment) } };
}

function credentialsOf(environment: NodeJS.ProcessEnv): ReadonlyMap<string, EngineCredential> {
  const named = Object.entries(environment).filter(([name]) => name.startsWith("WEIR_UPSTREAM_"));
  try {
    return new Map(named.map(([name, text]) => [name, parseEngineCredential(name, text ?? "")]));
  } catch (cause) {
    throw new Error(`The gateway's environment is wrong:\n✖ ${cause instanceof Error ? cause.message : ""}`);
  }
}
