import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../../dynamo/lean-client.ts";
import { LEDGER, tableName } from "../../dynamo/tables.ts";
import type { EarlierRow } from "../ledger/ledger.ts";
import { type Address, earlierRowOf, VOID_SUFFIX, voidRow } from "../ledger/wire-row.ts";

const CALL_TIMEOUT_MS = 3_000;
/** Later than this no write of an attempt can still be under way, and what was not there stays so. */
const LATE_WRITE_MS = 3_600_000;

export type EarlierSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  /** Puts a void marker beside a settled row. */
  readonly markVoid: (address: Address) => Promise<void>;
};

/** The row of an earlier request as it is now, with its void marker if there is one. */
export function findEarlierRow({ lean, tablePrefix }: EarlierSettings, { pk, sk }: Address): Promise<EarlierRow> {
  return withLeanStore(async () => {
    const input = {
      TableName: tableName(tablePrefix, LEDGER),
      KeyConditionExpression: "pk = :pk AND sk BETWEEN :row AND :marker",
      ExpressionAttributeValues: { ":pk": { S: pk }, ":row": { S: sk }, ":marker": { S: sk + VOID_SUFFIX } },
      ConsistentRead: true,
    };
    const { Items } = await lean.call<{ Items: WireItem[] }>("Query", input, CALL_TIMEOUT_MS);
    return earlierRowOf(Items, sk);
  });
}

type Annulling = { readonly address: Address; readonly row: EarlierRow; readonly atMs: number; readonly ageMs: number };

/** Sees to it that a row can never be billed; false if it is not as it was found any more. */
export async function annulRow(settings: EarlierSettings, { address, row, atMs, ageMs }: Annulling): Promise<boolean> {
  switch (row.state) {
    case "void":
      return true;
    case "settled":
      if (!row.isVoided) await settings.markVoid(address);
      return true;
    case "absent":
      // Its attempt may still reserve it: the place is taken. Much later nothing comes any more, and the bucket has been closed.
      return ageMs > LATE_WRITE_MS || unlessChanged(settings, put(settings, address, atMs));
    case "pending":
      return unlessChanged(settings, withdraw(settings, address, row.epoch));
  }
}

function put({ tablePrefix }: EarlierSettings, address: Address, atMs: number): Change {
  const Item = voidRow(address, atMs);
  return ["PutItem", { TableName: tableName(tablePrefix, LEDGER), Item, ConditionExpression: "attribute_not_exists(pk)" }];
}

function withdraw({ tablePrefix }: EarlierSettings, { pk, sk }: Address, epoch: number): Change {
  return [
    "UpdateItem",
    {
      TableName: tableName(tablePrefix, LEDGER),
      Key: { pk: { S: pk }, sk: { S: sk } },
      UpdateExpression: "SET st = :void, e = :next",
      ConditionExpression: "st = :pending AND e = :epoch",
      ExpressionAttributeValues: {
        ":void": { S: "X" },
        ":pending": { S: "P" },
        ":epoch": { N: `${epoch}` },
        ":next": { N: `${epoch + 1}` },
      },
    },
  ];
}

type Change = readonly [operation: "PutItem" | "UpdateItem", input: object];

/** A lost acknowledgement looks like a row that changed, and whoever asks looks again. */
async function unlessChanged({ lean }: EarlierSettings, [operation, input]: Change): Promise<boolean> {
  try {
    await withLeanStore(() => lean.call(operation, input, CALL_TIMEOUT_MS));
    return true;
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return false;
    throw cause;
  }
}
