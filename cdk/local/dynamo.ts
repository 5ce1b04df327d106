import { createSdkDynamo, type SdkDynamo } from "../../shared/dynamo/sdk.ts";
import { EMULATOR_CREDENTIALS, REGION, TABLE_PREFIX } from "./parts.ts";

/** The embedded store's client, which never looks for the credentials of a real account. */
export function createLocalDynamo(endpoint: string): SdkDynamo {
  return createSdkDynamo({ region: REGION, endpoint, tablePrefix: TABLE_PREFIX, credentials: async () => EMULATOR_CREDENTIALS });
}
