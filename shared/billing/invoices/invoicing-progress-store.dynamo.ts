import { CONTROL_TIMEOUT_MS, type Dynamo } from "../../dynamo/client.ts";
import type { WireItem } from "../../dynamo/lean-client.ts";
import { BALANCES, tableName } from "../../dynamo/tables.ts";
import { InvoicingProgress, type InvoicingProgressStore } from "./invoicing-progress.ts";

const PK = { S: "invoicing#progress" };

/** Beside the invoice books, in the table of single items. */
export function createInvoicingProgressStore({ lean, tablePrefix }: Dynamo): InvoicingProgressStore {
  const TableName = tableName(tablePrefix, BALANCES);
  return {
    read: async () => {
      const input = { TableName, Key: { pk: PK }, ConsistentRead: true };
      const { Item } = await lean.call<{ Item?: WireItem }>("GetItem", input, CONTROL_TIMEOUT_MS);
      const text = Item?.["body"]?.S;
      return text === undefined ? undefined : InvoicingProgress.parse(JSON.parse(text));
    },
    write: async (progress) => {
      await lean.call("PutItem", { TableName, Item: { pk: PK, body: { S: JSON.stringify(progress) } } }, CONTROL_TIMEOUT_MS);
    },
  };
}
