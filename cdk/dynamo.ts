import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { MathExpression, Metric } from "aws-cdk-lib/aws-cloudwatch";
import { AttributeType, Billing, ProjectionType, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import {
  BALANCES,
  CONTROL,
  EVENTS,
  IDEMPOTENCY,
  LEDGER,
  LIMITS,
  SEALS,
  TABLES,
  type TableShape,
  tableName,
} from "../shared/dynamo/tables.ts";
import type { Alarms } from "./alarms.ts";
import type { StageConfig } from "./config.ts";

const THROTTLED_PERIOD = Duration.minutes(5);
const THROTTLED_PERIODS = 3;
/** A table that takes up speed throttles a little. */
const THROTTLED_MIN = 100;

/** The tables of one installation, from the shapes that the one-machine platform creates too. */
export class Dynamo extends Construct {
  readonly control: TableV2;
  readonly ledger: TableV2;
  readonly limits: TableV2;
  readonly idempotency: TableV2;
  readonly seals: TableV2;
  readonly balances: TableV2;
  readonly events: TableV2;

  constructor(scope: Construct, id: string, { stage, alarms }: { stage: StageConfig; alarms: Alarms }) {
    super(scope, id);
    const { tablePrefix } = stage;
    this.control = createTable(this, tablePrefix, CONTROL);
    this.ledger = createTable(this, tablePrefix, LEDGER);
    this.limits = createTable(this, tablePrefix, LIMITS);
    this.idempotency = createTable(this, tablePrefix, IDEMPOTENCY);
    this.seals = createTable(this, tablePrefix, SEALS);
    this.balances = createTable(this, tablePrefix, BALANCES);
    this.events = createTable(this, tablePrefix, EVENTS);
    for (const shape of TABLES) alarmOfThrottles(this, alarms, { shape, tablePrefix });
  }
}

type Throttled = { readonly shape: TableShape; readonly tablePrefix: string };

function alarmOfThrottles(scope: Construct, alarms: Alarms, { shape, tablePrefix }: Throttled) {
  const dimensionsMap = { TableName: tableName(tablePrefix, shape) };
  const [reads, writes] = ["ReadThrottleEvents", "WriteThrottleEvents"].map(
    (metricName) => new Metric({ namespace: "AWS/DynamoDB", metricName, dimensionsMap, statistic: "Sum" }),
  ) as [Metric, Metric]; // two of two
  alarms.ofMuch(scope, `Throttled-${shape.name}`, {
    title: `table ${shape.name} is throttled`,
    meaning: `DynamoDB refuses calls of the table ${shape.name}, so callers get 503. Look at the account's and the table's limits, and at the busiest partition: the ledger wants a shard for each 10 requests a second (ledgerShards).`,
    // Told only where there are any.
    metric: new MathExpression({
      expression: "FILL(reads, 0) + FILL(writes, 0)",
      usingMetrics: { reads, writes },
      period: THROTTLED_PERIOD,
      label: "Throttled calls",
    }),
    atLeast: THROTTLED_MIN,
    periods: THROTTLED_PERIODS,
  });
}

export function grantTable(table: TableV2, role: Role, actions: readonly `dynamodb:${string}`[]): void {
  Grant.addToPrincipal({ grantee: role, actions: [...actions], resourceArns: [table.tableArn] });
}

/** Allows queries of one index; `TableV2.grant` would open `index/*`. */
export function grantIndex(table: TableV2, role: Role, indexName: string): void {
  Grant.addToPrincipal({ grantee: role, actions: ["dynamodb:Query"], resourceArns: [`${table.tableArn}/index/${indexName}`] });
}

function createTable(scope: Construct, prefix: string, shape: TableShape): TableV2 {
  return new TableV2(scope, shape.name, {
    tableName: tableName(prefix, shape),
    partitionKey: stringKey(shape.partitionKey),
    ...(shape.sortKey === undefined ? {} : { sortKey: stringKey(shape.sortKey) }),
    globalSecondaryIndexes: (shape.indexes ?? []).map((index) => ({
      indexName: index.name,
      partitionKey: stringKey(index.partitionKey),
      sortKey: stringKey(index.sortKey),
      projectionType: ProjectionType.KEYS_ONLY,
    })),
    ...(shape.timeToLive === undefined ? {} : { timeToLiveAttribute: shape.timeToLive }),
    billing: Billing.onDemand(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
  });
}

function stringKey(name: string) {
  return { name, type: AttributeType.STRING };
}
