import { type AttributeValue, GetItemCommand, UpdateItemCommand, type UpdateItemCommandInput } from "@aws-sdk/client-dynamodb";
import { type Dynamo, isConditionFailed, withStore } from "../../dynamo/client.ts";
import { BALANCES, tableName } from "../../dynamo/tables.ts";
import type { Book, BookName, InvoiceBookStore, Slot } from "./invoice-book.ts";

type Item = Record<string, AttributeValue>;

/** Attributes: `nx` the next number; of the pending slot `pn` the number, `pb` its bearer, `pa` since when. */
export function createInvoiceBookStore(dynamo: Dynamo): InvoiceBookStore {
  return {
    read: (book) => withStore(() => read(dynamo, book)),
    take: (book, slot) =>
      write(dynamo, book, {
        UpdateExpression: "SET nx = :after, pn = :number, pb = :bearer, pa = :at",
        ConditionExpression:
          slot.number === 1
            ? `attribute_not_exists(pn) AND (${IS_NEXT} OR attribute_not_exists(nx))`
            : `attribute_not_exists(pn) AND ${IS_NEXT}`,
        ExpressionAttributeValues: { ...valuesOf(slot), ":after": { N: `${slot.number + 1}` }, ":at": { N: `${slot.atMs}` } },
      }),
    clear: (book, slot) =>
      write(dynamo, book, {
        UpdateExpression: "REMOVE pn, pb, pa",
        ConditionExpression: IS_PENDING,
        ExpressionAttributeValues: valuesOf(slot),
      }),
    rollBack: (book, slot) =>
      write(dynamo, book, {
        UpdateExpression: "SET nx = :number REMOVE pn, pb, pa",
        ConditionExpression: IS_PENDING,
        ExpressionAttributeValues: valuesOf(slot),
      }),
  };
}

const IS_NEXT = "nx = :number";
const IS_PENDING = "pn = :number AND pb = :bearer";

async function read(dynamo: Dynamo, book: BookName): Promise<Book> {
  const { Item } = await dynamo.client.send(new GetItemCommand({ ...targetOf(dynamo, book), ConsistentRead: true }));
  const next = numberOf(Item, "nx") ?? 1;
  const number = numberOf(Item, "pn");
  return number === undefined ? { next } : { next, pending: { number, bearer: Item?.["pb"]?.S ?? "", atMs: numberOf(Item, "pa") ?? 0 } };
}

async function write(dynamo: Dynamo, book: BookName, update: Partial<UpdateItemCommandInput>): Promise<boolean> {
  return withStore(async () => {
    try {
      await dynamo.client.send(new UpdateItemCommand({ ...targetOf(dynamo, book), ...update }));
      return true;
    } catch (cause) {
      if (isConditionFailed(cause)) return false;
      throw cause;
    }
  });
}

function targetOf(dynamo: Dynamo, book: BookName): { TableName: string; Key: Item } {
  return { TableName: tableName(dynamo.settings.tablePrefix, BALANCES), Key: { pk: { S: `book#${book}` } } };
}

function valuesOf({ number, bearer }: Slot): Item {
  return { ":number": { N: `${number}` }, ":bearer": { S: bearer } };
}

function numberOf(item: Item | undefined, name: string): number | undefined {
  const text = item?.[name]?.N;
  return text === undefined ? undefined : Number(text);
}
