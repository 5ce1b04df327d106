import type { Clock } from "../shared/base/clock.ts";
import { createHttpInferenceClient } from "../shared/inference/client.http.ts";
import { createLambdaInferenceClient } from "../shared/inference/client.lambda.ts";
import type { InferenceClient } from "../shared/inference/contract.ts";
import { throttle } from "../shared/inference/throttle.ts";
import type { Log } from "../shared/log/log.ts";
import { createHttpIntakeClient } from "../shared/models/intake-client.http.ts";
import { createLambdaIntakeClient } from "../shared/models/intake-client.lambda.ts";
import type { IntakeClient } from "../shared/models/intake-client.ts";
import type { EdgeConfig, FunctionDoor, PoolSettings, WasmDoor } from "./config.ts";
import type { Pool } from "./deps.ts";
import { createLazyPool } from "./wasm/lazy-pool.ts";

type OpenPool = Pool & { readonly client: InferenceClient & { readonly close: () => Promise<void> } };

const MIB = 1024 ** 2;

/** What this gateway runs models by: functions over HTTP on one machine, through the Lambda API in the cloud, and its own threads. */
export function openPools(config: EdgeConfig, { clock, log }: { readonly clock: Clock; readonly log: Log }): OpenPool[] {
  return config.WEIR_POOLS.map((pool) => ({
    name: pool.name,
    tier: pool.tier,
    client: throttle(inferenceClient(pool, config, log), clock),
  }));
}

export function openIntake(config: EdgeConfig): IntakeClient {
  const door: FunctionDoor = config.WEIR_INTAKE;
  if (door.kind === "http") return createHttpIntakeClient(door.url);
  return createLambdaIntakeClient({ region: config.AWS_REGION, functionName: door.functionName });
}

function inferenceClient(pool: PoolSettings, config: EdgeConfig, log: Log): OpenPool["client"] {
  switch (pool.kind) {
    case "http":
      return createHttpInferenceClient({ url: pool.url });
    case "lambda":
      return createLambdaInferenceClient({ region: config.AWS_REGION, functionName: pool.functionName });
    case "wasm":
      return wasmClient(pool, config, log);
  }
}

function wasmClient({ cacheDir, cacheMib, threads, memoryMib }: WasmDoor, config: EdgeConfig, log: Log): OpenPool["client"] {
  const artefacts = { region: config.AWS_REGION, bucket: config.WEIR_BUCKET, endpoint: config.WEIR_S3_ENDPOINT };
  const settings = { artefacts, cacheDir, cacheBytesMax: cacheMib * MIB, threads, memoryBytesMax: memoryMib * MIB, log };
  return createLazyPool(async () => (await import("./wasm/pool.ts")).createWasmPool(settings));
}
