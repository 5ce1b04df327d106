import { GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { type Dynamo, withStore } from "../../dynamo/client.ts";
import { BALANCES, tableName } from "../../dynamo/tables.ts";
import { InvoicingProgress, type InvoicingProgressStore } from "./invoicing-progress.ts";

const PK = { S: "invoicing#progress" };

/** Beside the invoice books, in the table of single items. */
export function createInvoicingProgressStore(dynamo: Dynamo): InvoicingProgressStore {
  const TableName = tableName(dynamo.settings.tablePrefix, BALANCES);
  return {
    read: () =>
      withStore(async () => {
        const { Item } = await dynamo.client.send(new GetItemCommand({ TableName, Key: { pk: PK }, ConsistentRead: true }));
        const text = Item?.["body"]?.S;
        return text === undefined ? undefined : InvoicingProgress.parse(JSON.parse(text));
      }),
    write: (progress) =>
      withStore(async () => {
        await dynamo.client.send(new PutItemCommand({ TableName, Item: { pk: PK, body: { S: JSON.stringify(progress) } } }));
      }),
  };
}
