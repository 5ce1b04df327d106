import { createSdkDynamo, type SdkDynamo } from "../../shared/dynamo/sdk.ts";
import { startDynamo } from "./dynamo.ts";
import { type StoreValve, startStoreValve } from "./store-valve.ts";

/** A DynamoDB engine in memory whose faults are ours to make. */
export type ValvedDynamo = {
  readonly valve: StoreValve;
  /** Through the valve. */
  readonly dynamo: SdkDynamo;
  /** Straight to the engine, whatever the valve does. */
  readonly direct: SdkDynamo;
  readonly close: () => Promise<void>;
};

export async function startValvedDynamo(): Promise<ValvedDynamo> {
  const store = await startDynamo();
  const valve = await startStoreValve(store.endpoint);
  const dynamo = createSdkDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint: valve.endpoint });
  return {
    valve,
    dynamo,
    direct: store.dynamo,
    close: async () => {
      await dynamo.close();
      await valve.close();
      await store.close();
    },
  };
}
