import { fileURLToPath } from "node:url";
import { AssetHashType, DockerImage, Duration, Stack } from "aws-cdk-lib";
import { Grant } from "aws-cdk-lib/aws-iam";
import {
  ApplicationLogLevel,
  SystemLogLevel,
  WebFunction,
  WebFunctionAuthType,
  WebFunctionCode,
  WebFunctionRuntime,
} from "aws-cdk-lib/aws-lambda";
import { FilterPattern } from "aws-cdk-lib/aws-logs";
import { Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { CONTROL } from "../shared/dynamo/tables.ts";
import { acknowledge, acknowledgeBootstrapBucket, acknowledgeFolder } from "./acknowledgements.ts";
import { type Alarms, alarmOfErrors, countLines } from "./alarms.ts";
import { bundleGateway, DOCS_FOLDER, PROCESS_ENVIRONMENT } from "./bundle.ts";
import type { EdgePool, StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import { VIEWER_ADDRESS_HEADER } from "./front.ts";
import { FunctionRole } from "./function-role.ts";
import type { DeployedPool } from "./inference.ts";
import type { Intake } from "./intake.ts";
import type { ModelsBucket } from "./models-bucket.ts";
import { PRIVATE } from "./private-bucket.ts";
import type { RecordsBucket } from "./records-bucket.ts";
import type { Secrets } from "./secrets.ts";

const SOURCES = fileURLToPath(new URL("../edge", import.meta.url));
/** Where Lambda unpacks the bundle. */
const CODE_FOLDER = "/var/task";
const CODE_KEPT_DAYS = 7;
/** Files of the edge tier's models, on the 512 MiB of disk that an environment has. */
const EDGE_CACHE = { cacheDir: "/tmp/weir-edge", cacheMib: 384 } as const;
/** Streams may last this long; CloudFront bounds the silence between two packets. */
const TIMEOUT = Duration.seconds(900);
const CONCURRENCY_PER_ENVIRONMENT = 64;
const UNSERVED_PERIOD = Duration.minutes(5);
const UNSERVED_PERIODS = 3;
const UNSERVED_MIN = 20;
/** A whole generation: CloudFront bounds the silence before its answer, see front.ts. What takes longer is streamed, or ends with what there is. */
const GENERATION_SECONDS = 60;

export type EdgeProps = {
  readonly stage: StageConfig;
  readonly alarms: Alarms;
  readonly dynamo: Dynamo;
  readonly models: ModelsBucket;
  readonly records: RecordsBucket;
  readonly pools: readonly DeployedPool[];
  readonly intake: Intake;
  readonly secrets: Secrets;
};

/** The gateway as a Lambda Web Function. Its own address is public, so it answers only who sends an origin secret. */
export class Edge extends Construct {
  readonly function: WebFunction;

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id);
    const role = new FunctionRole(this, "Role", props.stage.logRetentionDays);
    grantGateway(role, props);
    this.function = new WebFunction(this, "Function", {
      code: createCode(this, props.stage),
      runtime: WebFunctionRuntime.NODEJS_24_X,
      role: role.role,
      logGroup: role.log,
      applicationLogLevel: ApplicationLogLevel.INFO,
      systemLogLevel: SystemLogLevel.WARN,
      environment: environmentOf(this, props),
      timeout: TIMEOUT,
      maxConcurrencyPerEnvironment: CONCURRENCY_PER_ENVIRONMENT,
      defaultEndpointAuth: WebFunctionAuthType.APPLICATION_MANAGED,
      defaultEndpoint: { maxEnvironments: props.stage.gateway.environmentsMax },
    });
    alarmOfGateway(this, props.alarms, role);
    acknowledge(this.function, "Construct-Annotations::@aws-cdk/aws-lambda:webFunctionPublicEndpoint");
  }
}

function alarmOfGateway(scope: Construct, alarms: Alarms, { log: logGroup }: FunctionRole) {
  alarmOfErrors(alarms, scope, { logGroup, name: "gateway" });
  const pattern = FilterPattern.all(FilterPattern.stringValue("$.level", "=", "warn"), FilterPattern.exists("$.code"));
  alarms.ofMuch(scope, "Unserved", {
    title: "gateway cannot serve",
    meaning:
      "Callers get 5xx for a quarter of an hour, or fallbacks serve them, because a store, a pool or an engine does not answer. The gateway's log has a line for each, with its code and cause.",
    metric: countLines(scope, "FailedByOthers", { logGroup, metricName: "Unserved-gateway", pattern, period: UNSERVED_PERIOD }),
    atLeast: UNSERVED_MIN,
    periods: UNSERVED_PERIODS,
  });
}

/** It runs the control plane, writes the ledger, takes leases of limits and hands out upload URLs; it cannot change what intake has checked. */
function grantGateway({ role }: FunctionRole, { dynamo, models, records, pools, intake, secrets }: EdgeProps) {
  grantTable(dynamo.control, role, ["dynamodb:DescribeTable", "dynamodb:Query", "dynamodb:PutItem"]);
  for (const index of CONTROL.indexes) grantIndex(dynamo.control, role, index.name);
  grantTable(dynamo.ledger, role, [
    "dynamodb:BatchWriteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:GetItem",
    "dynamodb:Query",
  ]);
  grantTable(dynamo.idempotency, role, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]);
  grantTable(dynamo.limits, role, ["dynamodb:GetItem", "dynamodb:UpdateItem"]);
  grantTable(dynamo.events, role, ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"]);
  grantTable(dynamo.seals, role, ["dynamodb:GetItem", "dynamodb:Query"]);
  grantTable(dynamo.balances, role, ["dynamodb:GetItem", "dynamodb:PutItem"]);
  models.grant(role, "incoming", ["s3:PutObject"]);
  models.grant(role, "blobs", ["s3:GetObject"]);
  models.grant(role, "manifests", ["s3:GetObject"]); // for the URLs that `weir models verify` reads by
  models.grantList(role);
  records.grant(role, "bodies", ["s3:PutObject", "s3:GetObject"]);
  records.grant(role, "invoices", ["s3:GetObject"]); // the invoicing function writes them
  records.grantList(role);
  const resourceArns = [...pools.flatMap((pool) => pool.invokedArns), intake.function.functionArn];
  Grant.addToPrincipal({ grantee: role, actions: ["lambda:InvokeFunction"], resourceArns });
  secrets.grantRead(role);
}

function environmentOf(scope: Construct, { stage, models, records, pools, intake, secrets }: EdgeProps): Record<string, string> {
  const json = (value: unknown) => Stack.of(scope).toJsonString(value);
  return {
    ...PROCESS_ENVIRONMENT,
    WEIR_ENV: stage.name,
    WEIR_CELL: stage.cell,
    WEIR_TABLE_PREFIX: stage.tablePrefix,
    WEIR_BUCKET: models.bucket.bucketName,
    WEIR_RECORDS_BUCKET: records.bucket.bucketName,
    WEIR_SHARDS: JSON.stringify(stage.ledgerShards),
    WEIR_POOLS: json([...pools.map(lambdaPool), ...edgePoolsOf(stage).map(wasmPool)]),
    WEIR_INTAKE: json({ kind: "lambda", functionName: intake.function.functionName }),
    WEIR_TRUSTED_PROXIES: json({ header: VIEWER_ADDRESS_HEADER }),
    WEIR_ENGINE_ORIGINS: JSON.stringify(stage.gateway.engineOrigins),
    WEIR_GENERATION_SECONDS: String(GENERATION_SECONDS),
    WEIR_DOCS_ASSETS: `${CODE_FOLDER}/${DOCS_FOLDER}`,
    ...secrets.environment,
  };
}

const lambdaPool = ({ name, tier, function: { functionName } }: DeployedPool) => ({ name, tier, kind: "lambda", functionName });
const wasmPool = ({ name, tier, threads, memoryMiB }: EdgePool) => ({
  name,
  tier,
  kind: "wasm",
  ...EDGE_CACHE,
  threads,
  memoryMib: memoryMiB,
});
const edgePoolsOf = (stage: StageConfig) => stage.pools.filter((pool) => pool.tier === "edge");

/** Web Functions read their code from a versioned bucket at every start; the library's copy function puts each bundle there. */
function createCode(scope: Construct, stage: StageConfig): WebFunctionCode {
  const bucket = createCodeBucket(scope);
  const { role, log: logGroup } = new FunctionRole(scope, "CodeCopy", stage.logRetentionDays);
  acknowledge(role, "AwsSolutions-IAM5[Action::s3:Abort*]", "AwsSolutions-IAM5[Action::s3:DeleteObject*]");
  acknowledgeFolder(role, bucket, "web-function");
  acknowledgeBootstrapBucket(role, stage);
  // The library's Bucket implements IBucket; only exactOptionalPropertyTypes, which its types are not written for, sees a difference.
  return WebFunctionCode.fromAssetToProvidedBucket(bucket as IBucket, SOURCES, {
    copyOptions: { role, logGroup },
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never pulled: the bundle is made in this process.
      image: DockerImage.fromRegistry("node:24"),
      local: {
        tryBundle(outputDir) {
          bundleGateway(outputDir, { hasEdgeTier: edgePoolsOf(stage).length > 0 });
          return true;
        },
      },
    },
  });
}

function createCodeBucket(scope: Construct): Bucket {
  const bucket = new Bucket(scope, "Code", {
    ...PRIVATE,
    lifecycleRules: [{ id: "superseded", noncurrentVersionExpiration: Duration.days(CODE_KEPT_DAYS), expiredObjectDeleteMarker: true }],
  });
  acknowledge(bucket, "AwsSolutions-S1");
  return bucket;
}
