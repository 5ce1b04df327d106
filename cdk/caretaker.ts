import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { CONTROL } from "../shared/dynamo/tables.ts";
import type { StageConfig } from "./config.ts";
import { type Dynamo, grantIndex, grantTable } from "./dynamo.ts";
import { ScheduledFunction } from "./scheduled-function.ts";
import type { Secrets } from "./secrets.ts";

const EVERY = Duration.minutes(60);
const MEMORY_MIB = 512;

export type CaretakerProps = {
  readonly stage: StageConfig;
  readonly dynamo: Dynamo;
  readonly secrets: Secrets;
  readonly gatewayUrl: string;
};

/**
 * Erases deleted tenants, and measures how long a revoked key is still taken, through the front as callers come. It is the only one that may
 * change or delete what is written in the control plane.
 */
export class Caretaker extends Construct {
  constructor(scope: Construct, id: string, { stage, dynamo, secrets, gatewayUrl }: CaretakerProps) {
    super(scope, id);
    const { role } = new ScheduledFunction(this, "Scheduled", {
      stage,
      name: "caretaker",
      description: "Weir: erases deleted tenants and measures revocation",
      every: EVERY,
      memoryMiB: MEMORY_MIB,
      environment: {
        WEIR_TABLE_PREFIX: stage.tablePrefix,
        WEIR_ENV: stage.name,
        WEIR_CELL: stage.cell,
        WEIR_GATEWAY_URL: gatewayUrl,
        ...secrets.pepperEnvironment,
      },
    });
    grantTable(dynamo.control, role, ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]);
    for (const index of CONTROL.indexes) grantIndex(dynamo.control, role, index.name);
    secrets.grantPeppers(role);
    grantTable(dynamo.idempotency, role, ["dynamodb:Scan", "dynamodb:DeleteItem"]);
  }
}
