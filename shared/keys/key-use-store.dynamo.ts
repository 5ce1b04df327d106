import { CONTROL_TIMEOUT_MS, type Dynamo } from "../dynamo/client.ts";
import type { WireItem } from "../dynamo/lean-client.ts";
import { isConditionFailed } from "../dynamo/store-trouble.ts";
import { CONTROL, tableName } from "../dynamo/tables.ts";
import { type KeyUseStore, keyUsesKey } from "./key-uses.ts";

export function createKeyUseStore({ lean, tablePrefix }: Dynamo): KeyUseStore {
  const TableName = tableName(tablePrefix, CONTROL);
  return {
    put: async ({ tenant, keyId, atMs }, unlessAfterMs) => {
      const put = {
        TableName,
        Item: { pk: { S: keyUsesKey(tenant) }, sk: { S: keyId }, usedAt: { S: isoOf(atMs) } },
        ConditionExpression: "attribute_not_exists(usedAt) OR usedAt <= :before",
        ExpressionAttributeValues: { ":before": { S: isoOf(unlessAfterMs) } },
      };
      try {
        await lean.call("PutItem", put, CONTROL_TIMEOUT_MS);
      } catch (error) {
        if (!isConditionFailed(error)) throw error; // else another process has noted it
      }
    },
    between: async (tenant, firstId, lastId) => {
      const query = {
        TableName,
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
        ExpressionAttributeValues: { ":pk": { S: keyUsesKey(tenant) }, ":first": { S: firstId }, ":last": { S: lastId } },
      };
      const { Items = [] } = await lean.call<{ Items?: readonly WireItem[] }>("Query", query, CONTROL_TIMEOUT_MS);
      return new Map(Items.map(({ sk, usedAt }) => [sk?.S ?? "", usedAt?.S ?? ""]));
    },
  };
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
