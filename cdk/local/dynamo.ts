import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Dynamo } from "../../shared/dynamo/client.ts";
import { EMULATOR_CREDENTIALS, REGION, TABLE_PREFIX } from "./parts.ts";

/** The embedded store's client, which never looks for the credentials of a real account. */
export function createLocalDynamo(endpoint: string): Dynamo {
  const client = new DynamoDBClient({ region: REGION, endpoint, credentials: EMULATOR_CREDENTIALS });
  return { client, settings: { region: REGION, tablePrefix: TABLE_PREFIX, endpoint } };
}
