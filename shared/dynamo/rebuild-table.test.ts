import { once } from "node:events";
import {
  CreateTableCommand,
  DescribeTableCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { portOf } from "../../test/harness/dynamo.ts";
import { createTables } from "./create-tables.ts";
import { createSdkDynamo, type SdkDynamo } from "./sdk.ts";
import { TABLES } from "./tables.ts";

let dynamo: SdkDynamo;
let close: () => Promise<void>;
beforeEach(async () => {
  // Always dynalite: it is the engine that cannot add an index.
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0 }).listen(0, "127.0.0.1");
  await once(server, "listening");
  dynamo = createSdkDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint: `http://127.0.0.1:${portOf(server.address())}` });
  close = async () => {
    await dynamo.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
});
afterEach(() => close());

const key = (name: string, type: "HASH" | "RANGE") => ({ AttributeName: name, KeyType: type });
const REVISION = { pk: { S: "tenant#acme" }, sk: { S: "r#000000001" }, n: { N: "1" }, at: { S: "2026-10-05T00:00:00.000Z" } };
const PLACED = { ...REVISION, sk: { S: "r#000000002" }, ak: { S: "audit#2026-10" }, as: { S: "placed already" } };
const NO_REVISION = { pk: { S: "use#k1" }, sk: { S: "last" }, at: { S: "2026-10-05T00:00:00.000Z" } };
const MANY = Array.from({ length: 60 }, (_, number) => ({ pk: { S: "many" }, sk: { S: `${number}` } }));

/** The control table as it was before the trail had an index. */
async function makeOld() {
  await dynamo.client.send(
    new CreateTableCommand({
      TableName: "weir-control",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: ["pk", "sk", "gk", "gs"].map((name) => ({ AttributeName: name, AttributeType: "S" as const })),
      KeySchema: [key("pk", "HASH"), key("sk", "RANGE")],
      GlobalSecondaryIndexes: [
        { IndexName: "group", KeySchema: [key("gk", "HASH"), key("gs", "RANGE")], Projection: { ProjectionType: "KEYS_ONLY" } },
      ],
    }),
  );
  await expect.poll(async () => (await describe())?.TableStatus).toBe("ACTIVE");
  for (const Item of [REVISION, PLACED, NO_REVISION, ...MANY])
    await dynamo.client.send(new PutItemCommand({ TableName: "weir-control", Item }));
}

async function describe() {
  return (await dynamo.client.send(new DescribeTableCommand({ TableName: "weir-control" }))).Table;
}

async function expectRebuilt() {
  const { TableNames } = await dynamo.client.send(new ListTablesCommand({}));
  expect(TableNames?.toSorted()).toEqual(TABLES.map(({ name }) => `weir-${name}`).toSorted());
  expect((await describe())?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName).toSorted()).toEqual(["audit", "group"]);
  const { Items = [] } = await dynamo.client.send(new ScanCommand({ TableName: "weir-control" }));
  expect(Items).toHaveLength(3 + MANY.length);
  const found = (one: typeof NO_REVISION) => Items.find(({ pk, sk }) => pk?.S === one.pk.S && sk?.S === one.sk.S);
  expect([REVISION, PLACED, NO_REVISION].map(found)).toEqual([
    { ...REVISION, ak: { S: "audit#2026-10" }, as: { S: "2026-10-05T00:00:00.000Z tenant#acme" } },
    PLACED,
    NO_REVISION,
  ]);
  const trail = await dynamo.client.send(
    new QueryCommand({
      TableName: "weir-control",
      IndexName: "audit",
      KeyConditionExpression: "ak = :month",
      ExpressionAttributeValues: { ":month": { S: "audit#2026-10" } },
    }),
  );
  expect(trail.Items?.map(({ sk }) => sk?.S).toSorted()).toEqual(["r#000000001", "r#000000002"]);
}

/** From this call of the store on the process is as good as killed: no further one goes out. */
function killAt(call: number): () => number {
  let calls = 0;
  dynamo.client.middlewareStack.add(
    (next) => async (args) => {
      calls += 1;
      if (calls >= call) throw new Error("killed");
      return next(args);
    },
    { step: "initialize", name: "kill" },
  );
  return () => {
    dynamo.client.middlewareStack.remove("kill");
    return calls;
  };
}

test("a table from before there was an index gets it, with all its items, and its revisions their place in the trail", async () => {
  await makeOld();

  await createTables(dynamo);

  await expectRebuilt();
  await createTables(dynamo);
  await expectRebuilt();
});

test("killed before any of its steps, it is done by the next start, and nothing is lost", async () => {
  await makeOld();
  let isDone = false;

  for (let call = 1; !isDone; call += 3) {
    const revive = killAt(call);
    isDone = await createTables(dynamo).then(
      () => true,
      () => false,
    );
    revive();
    const { Items = [] } = await dynamo.client.send(new ScanCommand({ TableName: "weir-control.rebuilding" })).catch(() => ({ Items: [] }));
    const there = await dynamo.client.send(new ScanCommand({ TableName: "weir-control" })).catch(() => undefined);
    expect(Math.max(Items.length - 1, there?.Items?.length ?? 0)).toBe(3 + MANY.length);
  }

  await expectRebuilt();
});
