import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { systemClock } from "../base/clock.ts";
import { createDynamo, type Dynamo, type DynamoSettings } from "./client.ts";

/** The SDK's client, for what is neither asked for by a caller nor done often: making tables, rebuilding them, erasing. Stores talk through `lean`. */
export type SdkDynamo = Dynamo & {
  readonly client: DynamoDBClient;
  readonly settings: DynamoSettings;
  readonly close: () => Promise<void>;
};

const ATTEMPTS_MAX = 3;
const CONNECT_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 3_000;

export function createSdkDynamo(settings: DynamoSettings): SdkDynamo {
  const { region, endpoint, credentials } = settings;
  const client = new DynamoDBClient({
    region,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, throwOnRequestTimeout: true },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  const dynamo = createDynamo(settings, systemClock);
  const close = async () => {
    client.destroy();
    await dynamo.lean.close();
  };
  return { ...dynamo, client, settings, close };
}
