import { createHttpInferenceClient } from "../shared/inference/client.http.ts";
import { createLambdaInferenceClient } from "../shared/inference/client.lambda.ts";
import type { InferenceClient } from "../shared/inference/contract.ts";
import { createHttpIntakeClient } from "../shared/models/intake-client.http.ts";
import { createLambdaIntakeClient } from "../shared/models/intake-client.lambda.ts";
import type { IntakeClient } from "../shared/models/intake-client.ts";
import type { EdgeConfig, FunctionDoor, PoolSettings } from "./config.ts";
import type { Pool } from "./deps.ts";

type OpenPool = Pool & { readonly client: InferenceClient & { readonly close: () => Promise<void> } };

/** The functions that this gateway calls: over HTTP on one machine, through the Lambda API in the cloud. */
export function openPools(config: EdgeConfig): OpenPool[] {
  return config.WEIR_POOLS.map((pool) => ({ name: pool.name, tier: pool.tier, client: inferenceClient(pool, config.AWS_REGION) }));
}

export function openIntake(config: EdgeConfig): IntakeClient {
  const door: FunctionDoor = config.WEIR_INTAKE;
  if (door.kind === "http") return createHttpIntakeClient(door.url);
  return createLambdaIntakeClient({ region: config.AWS_REGION, functionName: door.functionName });
}

function inferenceClient(pool: PoolSettings, region: string): OpenPool["client"] {
  if (pool.kind === "http") return createHttpInferenceClient({ url: pool.url });
  return createLambdaInferenceClient({ region, functionName: pool.functionName });
}
