import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { CONTROL } from "../shared/dynamo/tables.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import { ScheduledFunction } from "./scheduled-function.ts";

const EVERY = Duration.minutes(60);
const MEMORY_MIB = 512;

/** Erases deleted tenants. It is the only one that may change or delete what is written in the control plane. */
export class Caretaker extends Construct {
  constructor(scope: Construct, id: string, { stage, dynamo }: { stage: StageConfig; dynamo: Dynamo }) {
    super(scope, id);
    const { role } = new ScheduledFunction(this, "Scheduled", {
      stage,
      name: "caretaker",
      description: "Weir: erases deleted tenants",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: { WEIR_TABLE_PREFIX: stage.tablePrefix },
    });
    grantTable(dynamo.control, role, ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]);
    for (const index of CONTROL.indexes) grantIndex(dynamo.control, role, index.name);
    grantTable(dynamo.idempotency, role, ["dynamodb:Scan", "dynamodb:DeleteItem"]);
  }
}
