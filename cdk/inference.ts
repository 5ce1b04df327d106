import { Duration, Size } from "aws-cdk-lib";
import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { Architecture, CfnFunction, DockerImageFunction, type IFunction, LoggingFormat } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledgements.ts";
import { type Alarms, alarmOfErrors } from "./alarms.ts";
import type { CpuPool, GpuPool, StageConfig } from "./config.ts";
import { containerOf } from "./container.ts";
import { FunctionRole } from "./function-role.ts";
import { GpuCapacity } from "./gpu-capacity.ts";
import type { ModelsBucket } from "./models-bucket.ts";

/** Lambda gives one vCPU for this much memory. */
const MEMORY_MIB_PER_VCPU = 1769;
/** What the process needs besides sessions: Node, its workers, tokenizers. */
const RUNTIME_MEMORY_MIB = 768;
const DISK_MIB = 8192;
const DISK_SPARE_MIB = 512;
/** Lambda's longest, since a generation may be read for as long as a stream lasts. Each call brings its own time, and is ended with it. */
const TIMEOUT = Duration.seconds(900);

const FAILING_PERIOD = Duration.minutes(5);
const FAILING_PERIODS = 3;
const FAILING_MIN = 5;

type FunctionPool = CpuPool | GpuPool;

export type DeployedPool = {
  readonly name: string;
  readonly tier: FunctionPool["tier"];
  readonly function: IFunction;
  /** What the gateway must be allowed to invoke. */
  readonly invokedArns: readonly string[];
};

/** One function per pool but the edge's, which is in the gateway; all from one image. They read checked content and nothing else. */
export class Inference extends Construct {
  readonly pools: readonly DeployedPool[];

  constructor(scope: Construct, id: string, props: { stage: StageConfig; alarms: Alarms; models: ModelsBucket }) {
    super(scope, id);
    const capacity = props.stage.pools.some((pool) => pool.tier === "gpu") ? new GpuCapacity(this, "GpuCapacity", props.stage) : undefined;
    this.pools = props.stage.pools.filter(isFunction).map((pool) => {
      const role = new FunctionRole(this, `${pool.name}-role`, props.stage.logRetentionDays);
      props.models.grant(role.role, "blobs", ["s3:GetObject"]);
      props.models.grant(role.role, "manifests", ["s3:GetObject"]);
      props.models.grantList(role.role);
      const environment = environmentOf(pool, props.models);
      const created = pool.tier === "cpu" ? createCpu(this, pool, { role, environment }) : createGpu(this, pool, { role, environment });
      alarmOfPool(new Construct(this, `${pool.name}-alarms`), props.alarms, { pool, created, role });
      if (pool.tier === "gpu") capacity?.add(created, pool);
      return { name: pool.name, tier: pool.tier, function: created, invokedArns: invokedArnsOf(pool, created) };
    });
  }
}

type Watched = { readonly pool: FunctionPool; readonly created: IFunction; readonly role: FunctionRole };

function alarmOfPool(scope: Construct, alarms: Alarms, { pool, created, role }: Watched) {
  alarms.ofMuch(scope, "Failing", {
    title: `pool ${pool.name} fails`,
    meaning: `Calls of the inference function of pool ${pool.name} fail: callers get 502, or a fallback where the version has one. Its log says why; a version that brings its process down is marked unhealthy with its reason (weir models show).`,
    metric: created.metricErrors({ period: FAILING_PERIOD, statistic: "Sum" }),
    atLeast: FAILING_MIN,
    periods: FAILING_PERIODS,
  });
  alarmOfErrors(alarms, scope, { logGroup: role.log, name: `pool ${pool.name}` });
}

const isFunction = (pool: StageConfig["pools"][number]): pool is FunctionPool => pool.tier !== "edge";

/** On managed instances an unqualified call means the version `$LATEST.PUBLISHED`, which has an address of its own. */
function invokedArnsOf(pool: FunctionPool, { functionArn }: IFunction): string[] {
  return pool.tier === "gpu" ? [functionArn, `${functionArn}:$LATEST.PUBLISHED`] : [functionArn];
}

type Shared = { readonly role: FunctionRole; readonly environment: Record<string, string> };

function createCpu(scope: Construct, pool: CpuPool, shared: Shared): IFunction {
  return new DockerImageFunction(scope, pool.name, {
    ...propsOf(pool, shared),
    code: containerOf("inference", { platform: Platform.LINUX_ARM64 }),
    architecture: Architecture.ARM_64,
    // An environment takes one request at a time, so this bounds the pool.
    reservedConcurrentExecutions: pool.concurrency,
  });
}

function createGpu(scope: Construct, pool: GpuPool, shared: Shared): DockerImageFunction {
  const created = new DockerImageFunction(scope, pool.name, {
    ...propsOf(pool, shared),
    code: containerOf("inference", { platform: Platform.LINUX_AMD64, buildArgs: { VARIANT: "cuda" } }),
    architecture: Architecture.X86_64,
  });
  const resource = created.node.defaultChild;
  if (!(resource instanceof CfnFunction)) throw new Error(`pool ${pool.name} has no function resource to give an accelerator to`);
  // Newer than this library's types of AWS::Lambda::Function.
  resource.addPropertyOverride("AcceleratorConfig", { AcceleratorMemorySize: pool.acceleratorMemoryGiB });
  acknowledge(resource, "CloudFormation-Validate::F3002");
  return created;
}

function propsOf(pool: FunctionPool, { role, environment }: Shared) {
  return {
    description: `Weir: runs the models of pool ${pool.name}`,
    role: role.role,
    logGroup: role.log,
    loggingFormat: LoggingFormat.JSON,
    environment,
    memorySize: pool.memoryMiB,
    ephemeralStorageSize: Size.mebibytes(DISK_MIB),
    timeout: TIMEOUT,
  };
}

function environmentOf(pool: FunctionPool, models: ModelsBucket): Record<string, string> {
  const vcpus = Math.max(1, Math.floor(pool.memoryMiB / MEMORY_MIB_PER_VCPU));
  return {
    WEIR_BUCKET: models.bucket.bucketName,
    WEIR_TIER: pool.tier,
    WEIR_CACHE_DIR: "/tmp/weir-models",
    WEIR_CACHE_MIB: String(DISK_MIB - DISK_SPARE_MIB),
    // One-thread workers side by side beat one session with many threads; a GPU is fed by one.
    WEIR_WORKERS: String(pool.tier === "gpu" ? 1 : vcpus),
    WEIR_THREADS_PER_WORKER: "1",
    WEIR_SESSION_MEMORY_MIB: String(pool.memoryMiB - RUNTIME_MEMORY_MIB),
  };
}
