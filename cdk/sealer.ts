import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { CONTROL } from "../shared/dynamo/tables.ts";
import type { Alarms } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import { ScheduledFunction } from "./scheduled-function.ts";

const EVERY = Duration.minutes(5);
const MEMORY_MIB = 1024;

/** Closes the ledger's minutes. It reads rows, expires those that nobody came back to, writes seals and totals, and forgets Idempotency-Keys. */
export class Sealer extends Construct {
  constructor(scope: Construct, id: string, { stage, alarms, dynamo }: { stage: StageConfig; alarms: Alarms; dynamo: Dynamo }) {
    super(scope, id);
    const { role } = new ScheduledFunction(this, "Scheduled", {
      stage,
      alarms,
      name: "sealer",
      description: "Weir: seals the ledger's minutes and adds them up",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: { WEIR_TABLE_PREFIX: stage.tablePrefix, WEIR_SHARDS: JSON.stringify(stage.ledgerShards) },
    });
    grantTable(dynamo.ledger, role, ["dynamodb:Query", "dynamodb:UpdateItem"]);
    grantTable(dynamo.seals, role, [
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
      "dynamodb:DeleteItem",
    ]);
    grantTable(dynamo.idempotency, role, ["dynamodb:UpdateItem", "dynamodb:DeleteItem"]);
    // When the first tenant was made: nothing can have been metered before.
    grantTable(dynamo.control, role, ["dynamodb:Query"]);
    for (const index of CONTROL.indexes) grantIndex(dynamo.control, role, index.name);
  }
}
