import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import type { Alarms } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import { ScheduledFunction } from "./scheduled-function.ts";

const EVERY = Duration.minutes(5);
const MEMORY_MIB = 512;
/** Lists tenants. */
const GROUP_INDEX = "group";

/** Settles prepaid balances by sealed rows, and tells of budgets. It reads seals, and writes balances and events. */
export class Balances extends Construct {
  constructor(scope: Construct, id: string, { stage, alarms, dynamo }: { stage: StageConfig; alarms: Alarms; dynamo: Dynamo }) {
    super(scope, id);
    const { role } = new ScheduledFunction(this, "Scheduled", {
      stage,
      alarms,
      name: "balances",
      description: "Weir: settles prepaid balances and watches budgets",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: { WEIR_TABLE_PREFIX: stage.tablePrefix, WEIR_SHARDS: JSON.stringify(stage.ledgerShards) },
    });
    grantTable(dynamo.balances, role, ["dynamodb:GetItem", "dynamodb:PutItem"]);
    grantTable(dynamo.events, role, ["dynamodb:GetItem", "dynamodb:PutItem"]);
    grantTable(dynamo.seals, role, ["dynamodb:GetItem", "dynamodb:Query"]);
    grantTable(dynamo.control, role, ["dynamodb:Query"]);
    grantIndex(dynamo.control, role, GROUP_INDEX);
  }
}
