import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, Billing, ProjectionType, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { BALANCES, CONTROL, EVENTS, IDEMPOTENCY, LEDGER, LIMITS, SEALS, type TableShape, tableName } from "../shared/dynamo/tables.ts";

/** The tables of one installation, from the shapes that the one-machine platform creates too. */
export class Dynamo extends Construct {
  readonly control: TableV2;
  readonly ledger: TableV2;
  readonly limits: TableV2;
  readonly idempotency: TableV2;
  readonly seals: TableV2;
  readonly balances: TableV2;
  readonly events: TableV2;

  constructor(scope: Construct, id: string, tablePrefix: string) {
    super(scope, id);
    this.control = createTable(this, tablePrefix, CONTROL);
    this.ledger = createTable(this, tablePrefix, LEDGER);
    this.limits = createTable(this, tablePrefix, LIMITS);
    this.idempotency = createTable(this, tablePrefix, IDEMPOTENCY);
    this.seals = createTable(this, tablePrefix, SEALS);
    this.balances = createTable(this, tablePrefix, BALANCES);
    this.events = createTable(this, tablePrefix, EVENTS);
  }
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
