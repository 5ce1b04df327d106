import { PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { type Dynamo, withStore } from "../dynamo/client.ts";
import { CONTROL, tableName } from "../dynamo/tables.ts";
import { RevocationMeasurement, type RevocationStore } from "./revocation.ts";

const PK = "canary#revocation";

/** One item, written over: no revision, since it is nobody's change. */
export function createRevocationStore({ client, settings }: Dynamo): RevocationStore {
  const TableName = tableName(settings.tablePrefix, CONTROL);
  return {
    read: () =>
      withStore(async () => {
        const { Items = [] } = await client.send(
          new QueryCommand({ TableName, KeyConditionExpression: "pk = :pk", ExpressionAttributeValues: { ":pk": { S: PK } }, Limit: 1 }),
        );
        const body = Items[0]?.["body"]?.S;
        return body === undefined ? undefined : RevocationMeasurement.parse(JSON.parse(body));
      }),
    write: async (measurement) => {
      const Item = { pk: { S: PK }, sk: { S: "last" }, body: { S: JSON.stringify(RevocationMeasurement.parse(measurement)) } };
      await client.send(new PutItemCommand({ TableName, Item }));
    },
  };
}
