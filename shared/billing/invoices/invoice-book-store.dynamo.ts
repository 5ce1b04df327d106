import { CONTROL_TIMEOUT_MS, type Dynamo } from "../../dynamo/client.ts";
import type { WireItem } from "../../dynamo/lean-client.ts";
import { isConditionFailed } from "../../dynamo/store-trouble.ts";
import { BALANCES, tableName } from "../../dynamo/tables.ts";
import type { Book, BookName, InvoiceBookStore, Slot } from "./invoice-book.ts";

/** Attributes: `nx` the next number; of the pending slot `pn` the number, `pb` its bearer, `pa` since when. */
export function createInvoiceBookStore(dynamo: Dynamo): InvoiceBookStore {
  return {
    read: (book) => read(dynamo, book),
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
  const input = { ...targetOf(dynamo, book), ConsistentRead: true };
  const { Item } = await dynamo.lean.call<{ Item?: WireItem }>("GetItem", input, CONTROL_TIMEOUT_MS);
  const next = numberOf(Item, "nx") ?? 1;
  const number = numberOf(Item, "pn");
  return number === undefined ? { next } : { next, pending: { number, bearer: Item?.["pb"]?.S ?? "", atMs: numberOf(Item, "pa") ?? 0 } };
}

async function write(dynamo: Dynamo, book: BookName, update: object): Promise<boolean> {
  try {
    await dynamo.lean.call("UpdateItem", { ...targetOf(dynamo, book), ...update }, CONTROL_TIMEOUT_MS);
    return true;
  } catch (cause) {
    if (isConditionFailed(cause)) return false;
    throw cause;
  }
}

function targetOf(dynamo: Dynamo, book: BookName): { TableName: string; Key: WireItem } {
  return { TableName: tableName(dynamo.tablePrefix, BALANCES), Key: { pk: { S: `book#${book}` } } };
}

function valuesOf({ number, bearer }: Slot): WireItem {
  return { ":number": { N: `${number}` }, ":bearer": { S: bearer } };
}

function numberOf(item: WireItem | undefined, name: string): number | undefined {
  const text = item?.[name]?.N;
  return text === undefined ? undefined : Number(text);
}
