import { Duration } from "aws-cdk-lib";
import { FilterPattern, type ILogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { CONTROL } from "../shared/dynamo/tables.ts";
import { REVOCATION_UNMEASURED } from "../shared/keys/revocation.ts";
import { type Alarms, countLines } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import type { RecordsBucket } from "./records-bucket.ts";
import { ScheduledFunction } from "./scheduled-function.ts";
import type { Secrets } from "./secrets.ts";

const EVERY = Duration.minutes(60);
const MEMORY_MIB = 512;
const UNMEASURED_PERIOD = Duration.hours(3);
/** Of the three rounds of a period: one that meets a deployment, or a gateway that is starting, is no trouble. */
const UNMEASURED_MIN = 2;

export type CaretakerProps = {
  readonly stage: StageConfig;
  readonly alarms: Alarms;
  readonly dynamo: Dynamo;
  readonly secrets: Secrets;
  readonly records: RecordsBucket;
  readonly gatewayUrl: string;
};

/**
 * Erases deleted tenants and persons, and measures how long a revoked key is still taken, through the front as callers come. It is the only one that may
 * change or delete what is written in the control plane. Of bills it removes what the law does not want kept any more, and it never touches the ledger.
 */
export class Caretaker extends Construct {
  constructor(scope: Construct, id: string, { stage, alarms, dynamo, secrets, records, gatewayUrl }: CaretakerProps) {
    super(scope, id);
    const { role, log } = new ScheduledFunction(this, "Scheduled", {
      stage,
      alarms,
      name: "caretaker",
      description: "Weir: erases deleted tenants and measures revocation",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: {
        WEIR_TABLE_PREFIX: stage.tablePrefix,
        WEIR_ENV: stage.name,
        WEIR_CELL: stage.cell,
        WEIR_GATEWAY_URL: gatewayUrl,
        WEIR_RECORDS_BUCKET: records.bucket.bucketName,
        ...secrets.pepperEnvironment,
      },
    });
    grantTable(dynamo.control, role, ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]);
    for (const index of CONTROL.indexes) grantIndex(dynamo.control, role, index.name);
    secrets.grantPeppers(role);
    grantTable(dynamo.idempotency, role, ["dynamodb:Scan", "dynamodb:DeleteItem"]);
    grantTable(dynamo.limits, role, ["dynamodb:GetItem", "dynamodb:DeleteItem"]);
    grantTable(dynamo.events, role, ["dynamodb:Query", "dynamodb:DeleteItem"]);
    grantTable(dynamo.balances, role, ["dynamodb:GetItem", "dynamodb:DeleteItem"]);
    grantTable(dynamo.seals, role, ["dynamodb:Query", "dynamodb:DeleteItem"]);
    for (const folder of ["bodies", "invoices"] as const) records.grant(role, folder, ["s3:DeleteObject"]);
    alarmOfCanary(this, alarms, log);
  }
}

/** A canary that cannot sing says nothing of a revoked key that is still taken: its silence is told, too. */
function alarmOfCanary(scope: Construct, alarms: Alarms, logGroup: ILogGroup) {
  const pattern = FilterPattern.stringValue("$.message", "=", REVOCATION_UNMEASURED);
  alarms.ofMuch(scope, "CanarySilent", {
    title: "revocation is not measured",
    meaning:
      "The caretaker could not measure how long a revoked key is taken, in two of three hours: nobody would notice one that is taken for longer than 30 seconds. Its log's lines say why, mostly that the gateway's public address does not answer it as it should.",
    metric: countLines(scope, "Unmeasured", { logGroup, metricName: "RevocationUnmeasured", pattern, period: UNMEASURED_PERIOD }),
    atLeast: UNMEASURED_MIN,
  });
}
