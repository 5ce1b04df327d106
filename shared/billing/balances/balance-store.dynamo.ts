import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../../dynamo/lean-client.ts";
import { clockIsOff, isSoundClock } from "../../dynamo/sound-clock.ts";
import { BALANCES, tableName } from "../../dynamo/tables.ts";
import { Balance, type BalanceStore, EMPTY_BALANCE, type StoredBalance } from "./balance.ts";

const CALL_TIMEOUT_MS = 2_000;

type Settings = { readonly lean: LeanDynamo; readonly tablePrefix: string };

/** One item per tenant: `v`, which every write raises by one if it finds the one that was read, and `b`, the balance as JSON. */
export function createBalanceStore(settings: Settings): BalanceStore {
  const table = tableName(settings.tablePrefix, BALANCES);
  return {
    read: (tenant) => withLeanStore(() => read(settings.lean, table, tenant)),
    write: (tenant, stored) => withLeanStore(() => write(settings.lean, { table, tenant, stored })),
  };
}

async function read(lean: LeanDynamo, table: string, tenant: string): Promise<StoredBalance> {
  const input = { TableName: table, Key: { pk: { S: keyOf(tenant) } }, ConsistentRead: true };
  const { Item } = await lean.call<{ Item?: WireItem }>("GetItem", input, CALL_TIMEOUT_MS);
  // Whatever follows from a balance follows from the time, too: a clock that is off would let credits expire early, and leases live for days.
  if (!isSoundClock(lean)) throw clockIsOff(lean);
  if (Item === undefined) return { balance: EMPTY_BALANCE, version: 0 };
  const { b, v } = Item;
  if (b === undefined || !("S" in b) || v === undefined || !("N" in v)) throw new Error(`the balance of ${tenant} is not in its form`);
  return { balance: Balance.parse(JSON.parse(b.S)), version: Number(v.N) };
}

async function write(lean: LeanDynamo, { table, tenant, stored }: { table: string; tenant: string; stored: StoredBalance }) {
  const { balance, version } = stored;
  const isUnchanged = version === 0 ? "attribute_not_exists(pk)" : "#v = :v";
  const input = {
    TableName: table,
    Item: { pk: { S: keyOf(tenant) }, v: { N: `${version + 1}` }, b: { S: JSON.stringify(Balance.encode({ ...balance })) } },
    ConditionExpression: isUnchanged,
    ...(version === 0 ? {} : { ExpressionAttributeNames: { "#v": "v" }, ExpressionAttributeValues: { ":v": { N: `${version}` } } }),
  };
  try {
    await lean.call("PutItem", input, CALL_TIMEOUT_MS);
    return true;
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return false;
    throw cause;
  }
}

function keyOf(tenant: string): string {
  return `balance#${tenant}`;
}
