import * as z from "zod";
import { ENGINE_ORIGINS_MAX, EngineOrigin } from "../shared/models/engine-rules.ts";
import { NAME_PATTERN } from "../shared/tenants/tenant.ts";

const MEMORY_MIB_MIN = 1024;
const FUNCTION_MEMORY_MIB_MAX = 10_240;
const INSTANCE_MEMORY_MIB_MAX = 32_768;
const CONCURRENCY_MAX = 1600;

/** What a Web Function has: it comes in one size. */
const WEB_FUNCTION_VCPUS = 2;
/** Of its 2 GiB, beside its heap and what requests hold. */
const EDGE_MEMORY_MIB_MAX = 640;

/** What a version's placement names. */
const PoolName = z.strictObject({ name: z.string().regex(NAME_PATTERN) });

const FunctionPool = PoolName.extend({
  /** Requests that the whole pool works on at once; the next is refused with 429. */
  concurrency: z.int().min(1).max(CONCURRENCY_MAX),
});

/** Where models run in the cloud. The tier decides what carries it. */
export const Pool = z.discriminatedUnion("tier", [
  /** Threads of the gateway itself, for small models: nothing to wake, and no more than a quarter of a thread's memory for a model's weights. */
  PoolName.extend({
    tier: z.literal("edge"),
    threads: z.int().min(1).max(WEB_FUNCTION_VCPUS).default(1),
    /** WebAssembly memory of all threads together. */
    memoryMiB: z.int().min(64).max(EDGE_MEMORY_MIB_MAX).default(512),
  }),
  /** A Lambda container function on arm64: one request per environment, scales to zero. */
  FunctionPool.extend({
    tier: z.literal("cpu"),
    memoryMiB: z.int().min(MEMORY_MIB_MIN).max(FUNCTION_MEMORY_MIB_MAX),
  }),
  /** A Lambda container function on GPU instances of this account (Lambda Managed Instances, x86_64), many requests per environment. */
  FunctionPool.extend({
    tier: z.literal("gpu"),
    memoryMiB: z.int().min(2048).max(INSTANCE_MEMORY_MIB_MAX),
    /** The sizes that `AcceleratorConfig` takes. */
    acceleratorMemoryGiB: z.literal([3, 6, 12, 16, 24, 48]),
    /** 0 scales to zero: waking takes minutes, and until then requests fail or fall back. */
    environmentsMin: z.int().min(0).default(0),
    environmentsMax: z.int().min(1).max(100).default(1),
  }),
]);
export type Pool = z.infer<typeof Pool>;
export type EdgePool = Extract<Pool, { tier: "edge" }>;
export type CpuPool = Extract<Pool, { tier: "cpu" }>;
export type GpuPool = Extract<Pool, { tier: "gpu" }>;

const Domain = z.strictObject({
  name: z.hostname(),
  /** CloudFront reads certificates in us-east-1 only. */
  certificateArn: z.string().regex(/^arn:aws:acm:us-east-1:\d{12}:certificate\/[0-9a-f-]{36}$/, "a certificate of ACM in us-east-1"),
});

/** One installation: everything of Weir in one Region of one account. */
export const StageConfig = z
  .strictObject({
    /** Also what stands in keys after `weir_`, so that a key shows where it belongs. */
    name: z.string().regex(/^[a-z0-9]{1,16}$/),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/),
    /** Absent, the account of whoever deploys. */
    account: z
      .string()
      .regex(/^\d{12}$/)
      .optional(),
    /** What a key says about its home; the gateway of another cell refuses it. */
    cell: z.string().regex(/^[a-z0-9]{1,16}$/),
    tablePrefix: z.string().regex(/^[a-zA-Z0-9_.-]{3,64}$/),
    /** Where GPU instances run; absent, the Region's zones a and b. */
    availabilityZones: z.array(z.string()).min(2).max(3).optional(),
    /** From which minute (UTC, `2026-11-23T19:40`; the first is empty) the ledger has how many shards: one per 10 requests/s. Only added to, an hour ahead. */
    ledgerShards: z.array(z.strictObject({ fromMinute: z.string(), shardCount: z.int().min(1).max(16_384) })).min(1),
    pools: z.array(Pool).min(1),
    gateway: z.strictObject({
      environmentsMax: z.int().min(2).max(1000),
      /** Foreign engines that versions may name although they are not public: such as `http://10.0.3.7:8000`. */
      engineOrigins: z.array(EngineOrigin).max(ENGINE_ORIGINS_MAX).default([]),
    }),
    intake: z.strictObject({ memoryMiB: z.int().min(MEMORY_MIB_MIN).max(FUNCTION_MEMORY_MIB_MAX) }),
    logRetentionDays: z.literal([7, 14, 30, 90, 180, 365]),
    /** Who is told of alarms; each confirms once, by the link that AWS sends. */
    alarmEmails: z.array(z.email()).max(10).default([]),
    /** How secrets are rotated is in this folder's README. */
    secrets: z.strictObject({ revision: z.int().min(1), origin: z.enum(["a", "b"]) }),
    domain: Domain.optional(),
  })
  .refine((stage) => isDistinct(stage.pools.map((pool) => pool.name)), { path: ["pools"], error: "each pool has a name of its own" })
  .refine((stage) => stage.pools.filter(({ tier }) => tier === "edge").length <= 1, {
    path: ["pools"],
    error: "a gateway has one edge pool",
  });
export type StageConfig = z.infer<typeof StageConfig>;

export const CloudConfig = z
  .array(StageConfig)
  .min(1)
  .refine((stages) => isDistinct(stages.map(stageId)), "each stage of a Region has a name of its own")
  .refine(
    (stages) => isDistinct(stages.map((stage) => `${stage.account} ${stage.region} ${stage.tablePrefix}`)),
    "two stages in one Region need different table prefixes",
  );
export type CloudConfig = z.infer<typeof CloudConfig>;

/** `prod-us-east-1`: Web Functions have names that are unique over all Regions of an account, and theirs are made from this. */
export function stageId(stage: Pick<StageConfig, "name" | "region">): string {
  return `${stage.name}-${stage.region}`;
}

function isDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}
