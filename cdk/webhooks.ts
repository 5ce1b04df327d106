import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import type { Alarms } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import { ScheduledFunction } from "./scheduled-function.ts";
import type { Secrets } from "./secrets.ts";

const EVERY = Duration.minutes(1);
const MEMORY_MIB = 512;
/** Lists an owner's webhooks. */
const GROUP_INDEX = "group";

/** Delivers events to webhooks. It lies in no network of the account, so nothing private can be reached even by mistake. */
export class Webhooks extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { stage, alarms, dynamo, secrets }: { stage: StageConfig; alarms: Alarms; dynamo: Dynamo; secrets: Secrets },
  ) {
    super(scope, id);
    const { role } = new ScheduledFunction(this, "Scheduled", {
      stage,
      alarms,
      name: "webhooks",
      description: "Weir: delivers events to webhooks",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: { WEIR_TABLE_PREFIX: stage.tablePrefix, ...secrets.pepperEnvironment },
    });
    grantTable(dynamo.events, role, [
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
      "dynamodb:DeleteItem",
    ]);
    grantTable(dynamo.control, role, ["dynamodb:Query"]);
    grantIndex(dynamo.control, role, GROUP_INDEX);
    secrets.grantPeppers(role);
  }
}
