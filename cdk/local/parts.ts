import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ROWS_ENVIRONMENT } from "../../shared/schedule/process.ts";
import type { Environment, LocalConfig } from "./config.ts";
import type { PartSpec } from "./part.ts";
import type { Secrets } from "./secrets.ts";

/** Names of the installation on one machine; keys carry the environment and the cell. */
export const PLACE = { env: "local", cell: "c1" } as const;
export const REGION = "us-east-1";
export const TABLE_PREFIX = "weir";
export const BUCKET = "weir-models";
export const RECORDS_BUCKET = "weir-records";
/** Where intake unpacks what it checks. */
export const workDirIn = (stateDir: string) => join(stateDir, "work");
/** The pool that the inference function is, and the one in the gateway's own threads. */
export const POOL = "cpu";
export const EDGE_POOL = "edge";

/** swagger-ui's files, from where npm has put them. */
const DOCS_ASSETS = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

const LOOPBACK = "127.0.0.1";

/** The stores sign nothing and check nothing, but the SDK does not speak without credentials. */
export const EMULATOR_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" } as const;

/** Where the parts that were started before can be reached. */
export type Doors = { readonly dynamoUrl: string; readonly s3Url: string };
export type FunctionDoors = Doors & { readonly inferenceUrl: string; readonly intakeUrl: string };

export const urlOf = (port: number) => `http://${LOOPBACK}:${port}`;

export function dynamoPart(stateDir: string): PartSpec {
  return part("dynamo", new URL("./dynamo-process.ts", import.meta.url), (port) => ({
    PORT: `${port}`,
    WEIR_STORE_DIR: join(stateDir, "dynamo"),
  }));
}

export function s3Part(stateDir: string): PartSpec {
  return part("s3", new URL("./s3-process.ts", import.meta.url), (port) => ({
    PORT: `${port}`,
    WEIR_STORE_DIR: join(stateDir, "s3"),
    WEIR_BUCKET: BUCKET,
    WEIR_RECORDS_BUCKET: RECORDS_BUCKET,
  }));
}

export function inferencePart(stateDir: string, doors: Doors): PartSpec {
  return part("inference", new URL("../../functions/inference/main.node.ts", import.meta.url), (port) => ({
    ...storeAccess(doors),
    PORT: `${port}`,
    WEIR_HOST: LOOPBACK,
    WEIR_CACHE_DIR: join(stateDir, "cache"),
    WEIR_TIER: "cpu",
  }));
}

export function intakePart(stateDir: string, doors: Doors): PartSpec {
  return part("intake", new URL("../../functions/intake/main.node.ts", import.meta.url), (port) => ({
    ...storeAccess(doors),
    PORT: `${port}`,
    WEIR_HOST: LOOPBACK,
    WEIR_WORK_DIR: workDirIn(stateDir),
  }));
}

export function sealerPart(doors: Doors): PartSpec {
  return part("sealer", new URL("../../functions/sealer/main.node.ts", import.meta.url), () => storeAccess(doors));
}

export function balancesPart(doors: Doors): PartSpec {
  return part("balances", new URL("../../functions/balances/main.node.ts", import.meta.url), () => storeAccess(doors));
}

export function webhooksPart(config: LocalConfig, secrets: Secrets, doors: Doors): PartSpec {
  return part("webhooks", new URL("../../functions/webhooks/main.node.ts", import.meta.url), () => ({
    ...storeAccess(doors),
    WEIR_PEPPERS: JSON.stringify(secrets.peppers),
    WEIR_WEBHOOK_TARGETS: config.webhookTargets,
  }));
}

export function invoicingPart(doors: Doors): PartSpec {
  return part("invoicing", new URL("../../functions/invoicing/main.node.ts", import.meta.url), () => ({
    ...storeAccess(doors),
    ...ROWS_ENVIRONMENT,
  }));
}

export function caretakerPart(secrets: Secrets, doors: Doors & { readonly gatewayUrl: string }): PartSpec {
  return part("caretaker", new URL("../../functions/caretaker/main.node.ts", import.meta.url), () => ({
    ...storeAccess(doors),
    WEIR_ENV: PLACE.env,
    WEIR_CELL: PLACE.cell,
    WEIR_PEPPERS: JSON.stringify(secrets.peppers),
    WEIR_GATEWAY_URL: doors.gatewayUrl,
  }));
}

export function gatewayPart(config: LocalConfig, secrets: Secrets, doors: FunctionDoors): PartSpec {
  return part("gateway", new URL("../../edge/main.node.ts", import.meta.url), (port) => ({
    ...config.upstreamCredentials,
    ...storeAccess(doors),
    WEIR_HOST: config.host,
    // Any free port at first, if so wished; then the one that people were told.
    WEIR_PORT: `${port === 0 ? config.port : port}`,
    WEIR_ENV: PLACE.env,
    WEIR_CELL: PLACE.cell,
    WEIR_PEPPERS: JSON.stringify(secrets.peppers),
    WEIR_RECEIPT_KEYS: JSON.stringify(secrets.receiptKeys),
    WEIR_WEBHOOK_TARGETS: config.webhookTargets,
    WEIR_POOLS: JSON.stringify([
      { name: POOL, tier: "cpu", kind: "http", url: doors.inferenceUrl },
      { name: EDGE_POOL, tier: "edge", kind: "wasm", cacheDir: join(config.stateDir, "edge-cache") },
    ]),
    WEIR_TRUSTED_PROXIES: config.trustedProxies,
    WEIR_ENGINE_ORIGINS: config.engineOrigins,
    WEIR_GENERATION_SECONDS: config.generationSeconds,
    WEIR_DOCS_ASSETS: DOCS_ASSETS,
    WEIR_INTAKE: JSON.stringify({ kind: "http", url: doors.intakeUrl }),
  }));
}

/** Nothing of this process's environment is handed on: what a part is told stands here, and its own configuration checks it. */
function part(name: string, entry: URL, environmentOn: (port: number) => Environment): PartSpec {
  return { name, program: (port) => ({ name, entry, environment: environmentOn(port) }) };
}

function storeAccess(doors: Doors): Environment {
  return {
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: EMULATOR_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: EMULATOR_CREDENTIALS.secretAccessKey,
    WEIR_DYNAMO_ENDPOINT: doors.dynamoUrl,
    WEIR_S3_ENDPOINT: doors.s3Url,
    WEIR_TABLE_PREFIX: TABLE_PREFIX,
    WEIR_BUCKET: BUCKET,
    WEIR_RECORDS_BUCKET: RECORDS_BUCKET,
  };
}
