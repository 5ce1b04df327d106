import { DescribeTableCommand, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createTables } from "./create-tables.ts";
import { TABLES } from "./tables.ts";

let store: TestDynamo;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());

test("every table is made with its keys and indexes", async () => {
  const { TableNames } = await store.dynamo.client.send(new ListTablesCommand({}));

  expect(TableNames?.toSorted()).toEqual(TABLES.map((table) => `weir-${table.name}`).toSorted());
  const { Table } = await store.dynamo.client.send(new DescribeTableCommand({ TableName: "weir-control" }));
  expect(Table?.TableStatus).toBe("ACTIVE");
  expect(Table?.KeySchema).toEqual([
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ]);
  const indexes = Table?.GlobalSecondaryIndexes?.map((index) => [index.IndexName, index.Projection?.ProjectionType].join(" "));
  expect(indexes?.toSorted()).toEqual(["audit KEYS_ONLY", "group KEYS_ONLY"]); // engines list them in an order of their own
});

test("tables that are there stay as they are, also when two processes start together", async () => {
  await Promise.all([createTables(store.dynamo), createTables(store.dynamo)]);

  const { TableNames } = await store.dynamo.client.send(new ListTablesCommand({}));
  expect(TableNames).toHaveLength(TABLES.length);
});
