import { PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { type Dynamo, isConditionFailed, withStore } from "../dynamo/client.ts";
import { CONTROL, tableName } from "../dynamo/tables.ts";
import { type KeyUseStore, keyUsesKey } from "./key-uses.ts";

export function createKeyUseStore({ client, settings }: Dynamo): KeyUseStore {
  const TableName = tableName(settings.tablePrefix, CONTROL);
  return {
    put: async ({ tenant, keyId, atMs }, unlessAfterMs) => {
      const put = new PutItemCommand({
        TableName,
        Item: { pk: { S: keyUsesKey(tenant) }, sk: { S: keyId }, usedAt: { S: isoOf(atMs) } },
        ConditionExpression: "attribute_not_exists(usedAt) OR usedAt <= :before",
        ExpressionAttributeValues: { ":before": { S: isoOf(unlessAfterMs) } },
      });
      try {
        await client.send(put);
      } catch (error) {
        if (!isConditionFailed(error)) throw error; // else another process has noted it
      }
    },
    between: (tenant, firstId, lastId) =>
      withStore(async () => {
        const { Items = [] } = await client.send(
          new QueryCommand({
            TableName,
            KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues: { ":pk": { S: keyUsesKey(tenant) }, ":first": { S: firstId }, ":last": { S: lastId } },
          }),
        );
        return new Map(Items.map(({ sk, usedAt }) => [sk?.S ?? "", usedAt?.S ?? ""]));
      }),
  };
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
