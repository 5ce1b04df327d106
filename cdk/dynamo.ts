import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, Billing, ProjectionType, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { CONTROL, LEDGER, LIMITS, type TableShape, tableName } from "../shared/dynamo/tables.ts";

/** The tables of one installation, from the shapes that the one-machine platform creates too. */
export class Dynamo extends Construct {
  readonly control: TableV2;
  readonly ledger: TableV2;
  readonly limits: TableV2;

  constructor(scope: Construct, id: string, tablePrefix: string) {
    super(scope, id);
    this.control = createTable(this, tablePrefix, CONTROL);
    this.ledger = createTable(this, tablePrefix, LEDGER);
    this.limits = createTable(this, tablePrefix, LIMITS);
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
    billing: Billing.onDemand(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
  });
}

function stringKey(name: string) {
  return { name, type: AttributeType.STRING };
}
