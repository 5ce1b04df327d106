import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../shared/base/clock.ts";
import { createLeanDynamo, type WireItem } from "../../shared/dynamo/lean-client.ts";
import { createSdkDynamo } from "../../shared/dynamo/sdk.ts";
import { LEDGER, tableName } from "../../shared/dynamo/tables.ts";
import { textOf, VOID_SUFFIX } from "../../shared/usage/ledger/wire-row.ts";
import { bucketKey, minuteOf } from "../../shared/usage/row.ts";

const MINUTE_MS = 60_000;

export type LedgerRow = { readonly requestId: string; readonly tenant: string; readonly isVoided: boolean; readonly item: WireItem };

/** Every row of one minute's only shard, read straight from the store of a running one-machine platform. */
export async function readLedgerRows(stateDir: string, fromMs: number): Promise<LedgerRow[]> {
  const { dynamo: part } = JSON.parse(await readFile(join(stateDir, "parts.json"), "utf8")) as { dynamo: { port: number } }; // written by cdk/local
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "test";
  const dynamo = createSdkDynamo({ region: "us-east-1", tablePrefix: "weir", endpoint: `http://127.0.0.1:${part.port}` });
  const lean = createLeanDynamo(dynamo.settings, systemClock);
  const items: WireItem[] = [];
  for (let atMs = fromMs - (fromMs % MINUTE_MS); atMs <= Date.now(); atMs += MINUTE_MS) {
    items.push(...(await bucketItems(lean, bucketKey(minuteOf(atMs), 0))));
  }
  await lean.close();
  await dynamo.close();
  return rowsAmong(items);
}

async function bucketItems(lean: ReturnType<typeof createLeanDynamo>, pk: string): Promise<WireItem[]> {
  const items: WireItem[] = [];
  for (let start: WireItem | undefined, isLast = false; !isLast; isLast = start === undefined) {
    const input = {
      TableName: tableName("weir", LEDGER),
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": { S: pk } },
      ConsistentRead: true,
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    };
    const page = await lean.call<{ Items: WireItem[]; LastEvaluatedKey?: WireItem }>("Query", input, 10_000);
    items.push(...page.Items);
    start = page.LastEvaluatedKey;
  }
  return items;
}

function rowsAmong(items: readonly WireItem[]): LedgerRow[] {
  const addresses = new Set(items.map((item) => textOf(item, "sk")));
  const rows = items.filter((item) => !textOf(item, "sk").endsWith(VOID_SUFFIX));
  return rows.map((item) => {
    const sk = textOf(item, "sk");
    const [tenant = "", requestId = ""] = sk.split("#");
    return { tenant, requestId, isVoided: addresses.has(`${sk}${VOID_SUFFIX}`), item };
  });
}
