import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { CONTROL } from "../shared/dynamo/tables.ts";
import { ROWS_ENVIRONMENT } from "../shared/schedule/process.ts";
import type { Alarms } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import type { RecordsBucket } from "./records-bucket.ts";
import { ScheduledFunction } from "./scheduled-function.ts";

const EVERY = Duration.minutes(30);
const MEMORY_MIB = 1024;

/** Makes invoices of what is sealed. It reads rows, seals and prices, and writes invoices, their numbers and documents, and events; it deletes nothing. */
export class Invoicing extends Construct {
  constructor(scope: Construct, id: string, props: { stage: StageConfig; alarms: Alarms; dynamo: Dynamo; records: RecordsBucket }) {
    super(scope, id);
    const { stage, alarms, dynamo, records } = props;
    const { role } = new ScheduledFunction(this, "Scheduled", {
      stage,
      alarms,
      name: "invoicing",
      description: "Weir: makes and issues invoices and credit notes",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: {
        WEIR_TABLE_PREFIX: stage.tablePrefix,
        WEIR_RECORDS_BUCKET: records.bucket.bucketName,
        WEIR_SHARDS: JSON.stringify(stage.ledgerShards),
        ...ROWS_ENVIRONMENT,
      },
    });
    grantTable(dynamo.control, role, ["dynamodb:Query", "dynamodb:PutItem"]);
    for (const index of CONTROL.indexes) grantIndex(dynamo.control, role, index.name);
    grantTable(dynamo.ledger, role, ["dynamodb:Query"]);
    grantTable(dynamo.seals, role, ["dynamodb:GetItem", "dynamodb:Query"]);
    grantTable(dynamo.balances, role, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]);
    grantTable(dynamo.events, role, ["dynamodb:GetItem", "dynamodb:PutItem"]);
    records.grant(role, "invoices", ["s3:GetObject", "s3:PutObject"]);
    records.grantList(role);
  }
}
