import { CONTROL_TIMEOUT_MS, type Dynamo } from "../dynamo/client.ts";
import type { WireItem } from "../dynamo/lean-client.ts";
import { CONTROL, tableName } from "../dynamo/tables.ts";
import { RevocationMeasurement, type RevocationStore } from "./revocation.ts";

const PK = "canary#revocation";

/** One item, written over: no revision, since it is nobody's change. */
export function createRevocationStore({ lean, tablePrefix }: Dynamo): RevocationStore {
  const TableName = tableName(tablePrefix, CONTROL);
  return {
    read: async () => {
      const query = { TableName, KeyConditionExpression: "pk = :pk", ExpressionAttributeValues: { ":pk": { S: PK } }, Limit: 1 };
      const { Items = [] } = await lean.call<{ Items?: readonly WireItem[] }>("Query", query, CONTROL_TIMEOUT_MS);
      const body = Items[0]?.["body"]?.S;
      return body === undefined ? undefined : RevocationMeasurement.parse(JSON.parse(body));
    },
    write: async (measurement) => {
      const Item = { pk: { S: PK }, sk: { S: "last" }, body: { S: JSON.stringify(RevocationMeasurement.parse(measurement)) } };
      await lean.call("PutItem", { TableName, Item }, CONTROL_TIMEOUT_MS);
    },
  };
}
