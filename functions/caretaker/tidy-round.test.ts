import { PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEraser } from "../../shared/dynamo/eraser.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createTidyRound } from "./tidy-round.ts";

const NOW_MS = Date.UTC(2026, 10, 26);
const MINUTE_MS = 60_000;

let store: TestDynamo;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());

async function put(table: string, pk: string, ttlMs?: number) {
  const ttl = ttlMs === undefined ? {} : { ttl: { N: String(ttlMs / 1_000) } };
  await store.dynamo.client.send(new PutItemCommand({ TableName: `weir-${table}`, Item: { pk: { S: pk }, ...ttl } }));
}

async function keysIn(table: string): Promise<string[]> {
  const { Items = [] } = await store.dynamo.client.send(new ScanCommand({ TableName: `weir-${table}` }));
  return Items.map(({ pk }) => pk?.S ?? "").sort();
}

const call = (nowMs: number) => ({ nowMs, signal: new AbortController().signal });

function start() {
  const asked: { atMs: number; cursor: string | undefined }[] = [];
  const bodies = {
    removeBefore: async (atMs: number, { cursor }: { cursor?: string | undefined }) => {
      asked.push({ atMs, cursor });
      return { removed: 0, cursor: cursor === undefined ? "bodies/m" : undefined };
    },
  };
  return { round: createTidyRound({ eraser: createEraser(store.dynamo), bodies }), asked };
}

test("what has expired is deleted from every table whose items say so; what lives on, or never ends, stays", async () => {
  const { round } = start();
  for (const table of ["limits", "idempotency"]) {
    await put(table, "over", NOW_MS - 1_000);
    await put(table, "alive", NOW_MS + 1_000);
    await put(table, "for ever");
  }

  await round(call(NOW_MS));

  for (const table of ["limits", "idempotency"]) expect(await keysIn(table)).toEqual(["alive", "for ever"]);
});

test("it looks now and then, and goes on with bodies where it ended", async () => {
  const { round, asked } = start();

  await round(call(NOW_MS));
  await round(call(NOW_MS + MINUTE_MS));
  await round(call(NOW_MS + 10 * MINUTE_MS));

  expect(asked).toEqual([
    { atMs: NOW_MS - 86_400_000, cursor: undefined },
    { atMs: NOW_MS + 10 * MINUTE_MS - 86_400_000, cursor: "bodies/m" },
  ]);
});
