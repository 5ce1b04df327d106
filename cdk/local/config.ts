import { resolve } from "node:path";
import * as z from "zod";
import { parseEngineCredential } from "../../shared/models/engine-rules.ts";
import { StartRefusal } from "./refusal.ts";

export type Environment = Readonly<Record<string, string>>;

/** What a person may choose of the one-machine platform. */
export type LocalConfig = {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  /** Absolute. */
  readonly stateDir: string;
  /** Where webhooks may lead: `any` lets them lead to this machine, by http, for whoever tries them. */
  readonly webhookTargets: "public" | "any";
  /** Whose `X-Forwarded-For` counts, as the gateway reads it; empty on a machine without a proxy in front. */
  readonly trustedProxies: string;
  /** Foreign engines that versions may name, as the gateway reads it: on one machine any, unless said. */
  readonly engineOrigins: string;
  /** How many seconds a generation may take that is answered as a whole, as the gateway reads it. */
  readonly generationSeconds: string;
  /** Credentials of foreign engines, `WEIR_UPSTREAM_…`: the only variables that are handed on as they are. */
  readonly upstreamCredentials: Environment;
};

/** What a store's process is told by its supervisor. */
export type StoreConfig = { readonly dir: string; readonly port: number; readonly buckets: readonly string[] };

const Port = z.coerce.number().int().min(0).max(65_535);

const LocalEnvironment = z.object({
  WEIR_HOST: z.string().min(1).default("127.0.0.1"),
  WEIR_PORT: Port.default(8787),
  WEIR_STATE_DIR: z.string().min(1).default(".weir"),
  WEIR_WEBHOOK_TARGETS: z.enum(["public", "any"]).default("public"),
  WEIR_TRUSTED_PROXIES: z.string().default("[]"),
  WEIR_ENGINE_ORIGINS: z.string().default('"*"'),
  // No proxy stands in front as a rule, and OpenAI's clients wait for ten minutes.
  WEIR_GENERATION_SECONDS: z.string().default("570"),
});

const StoreEnvironment = z.object({
  WEIR_STORE_DIR: z.string().min(1),
  PORT: Port,
  WEIR_BUCKET: z.string().default(""),
  WEIR_RECORDS_BUCKET: z.string().default(""),
});

export function readLocalConfig(environment: NodeJS.ProcessEnv = process.env): LocalConfig {
  const parsed = LocalEnvironment.safeParse(environment);
  if (!parsed.success) throw new StartRefusal(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  const { WEIR_HOST, WEIR_PORT, WEIR_STATE_DIR, ...more } = parsed.data;
  return {
    host: WEIR_HOST,
    port: WEIR_PORT,
    stateDir: resolve(WEIR_STATE_DIR),
    webhookTargets: more.WEIR_WEBHOOK_TARGETS,
    trustedProxies: more.WEIR_TRUSTED_PROXIES,
    engineOrigins: more.WEIR_ENGINE_ORIGINS,
    generationSeconds: more.WEIR_GENERATION_SECONDS,
    upstreamCredentials: credentialsIn(environment),
  };
}

/** Read here only to refuse before anything is started what the gateway would refuse. */
function credentialsIn(environment: NodeJS.ProcessEnv): Environment {
  const named = Object.entries(environment).flatMap(([name, text = ""]) =>
    name.startsWith("WEIR_UPSTREAM_") ? [[name, text] as const] : [],
  );
  try {
    for (const [name, text] of named) parseEngineCredential(name, text);
  } catch (cause) {
    throw new StartRefusal(cause instanceof Error ? cause.message : "a WEIR_UPSTREAM_… is wrong");
  }
  return Object.fromEntries(named);
}

export function readStoreConfig(environment: NodeJS.ProcessEnv = process.env): StoreConfig {
  const { WEIR_STORE_DIR, PORT, WEIR_BUCKET, WEIR_RECORDS_BUCKET } = StoreEnvironment.parse(environment);
  return { dir: WEIR_STORE_DIR, port: PORT, buckets: [WEIR_BUCKET, WEIR_RECORDS_BUCKET] };
}
