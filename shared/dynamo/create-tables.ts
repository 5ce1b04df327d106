import { setTimeout as sleep } from "node:timers/promises";
import { CreateTableCommand, type CreateTableCommandInput, DescribeTableCommand, type TableDescription } from "@aws-sdk/client-dynamodb";
import { rebuildTable, type TableMaker } from "./rebuild-table.ts";
import type { SdkDynamo } from "./sdk.ts";
import { TABLES, type TableShape, tableName } from "./tables.ts";

const ACTIVE_TIMEOUT_MS = 30_000;
const ACTIVE_POLL_MS = 25;

/**
 * Makes the tables that are not there, gives older ones the indexes that they lack, and resolves when all can be written to. For emulators: in the cloud CloudFormation
 * owns the tables.
 */
export async function createTables(dynamo: SdkDynamo): Promise<void> {
  const maker: TableMaker = {
    describe: (name) => describe(dynamo, name),
    make: (table) => createTable(dynamo, table, AbortSignal.timeout(ACTIVE_TIMEOUT_MS)),
  };
  for (const table of TABLES) if (table.indexes !== undefined) await rebuildTable(dynamo, table, maker);
  await Promise.all(TABLES.map(maker.make));
}

async function createTable(dynamo: SdkDynamo, table: TableShape, signal: AbortSignal) {
  const name = tableName(dynamo.tablePrefix, table);
  let found = await describe(dynamo, name, signal);
  if (found === undefined) await create(dynamo, table, signal);
  while (found?.TableStatus !== "ACTIVE") {
    await sleep(ACTIVE_POLL_MS, undefined, { signal });
    found = await describe(dynamo, name, signal);
  }
}

async function create(dynamo: SdkDynamo, table: TableShape, abortSignal: AbortSignal) {
  try {
    await dynamo.client.send(new CreateTableCommand(commandOf(dynamo, table)), { abortSignal });
  } catch (error) {
    // Two processes of one installation may start together: the other's table is as good as ours.
    if (!isNamed(error, "ResourceInUseException")) throw error;
  }
}

function commandOf(dynamo: SdkDynamo, table: TableShape): CreateTableCommandInput {
  const indexes = table.indexes ?? [];
  const attributes = new Set([...namesOf(table), ...indexes.flatMap(namesOf)]);
  return {
    TableName: tableName(dynamo.tablePrefix, table),
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [...attributes].map((name) => ({ AttributeName: name, AttributeType: "S" })),
    KeySchema: keySchemaOf(table),
    ...(indexes.length === 0 ? {} : { GlobalSecondaryIndexes: indexes.map(indexOf) }),
  };
}

function indexOf(index: { name: string; partitionKey: string; sortKey: string }) {
  return { IndexName: index.name, KeySchema: keySchemaOf(index), Projection: { ProjectionType: "KEYS_ONLY" as const } };
}

function keySchemaOf(keys: { partitionKey: string; sortKey?: string }) {
  return namesOf(keys).map((name, place) => ({ AttributeName: name, KeyType: place === 0 ? ("HASH" as const) : ("RANGE" as const) }));
}

function namesOf({ partitionKey, sortKey }: { partitionKey: string; sortKey?: string }): string[] {
  return sortKey === undefined ? [partitionKey] : [partitionKey, sortKey];
}

async function describe(dynamo: SdkDynamo, name: string, signal?: AbortSignal): Promise<TableDescription | undefined> {
  try {
    const asked = new DescribeTableCommand({ TableName: name });
    return (await dynamo.client.send(asked, signal === undefined ? {} : { abortSignal: signal })).Table;
  } catch (error) {
    if (isNamed(error, "ResourceNotFoundException")) return undefined;
    throw error;
  }
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
