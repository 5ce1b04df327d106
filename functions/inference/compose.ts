import { systemClock } from "../../shared/base/clock.ts";
import { logJson } from "../../shared/log/log.ts";
import { blobKey } from "../../shared/models/version.ts";
import { createArtefacts } from "./artefacts.s3.ts";
import type { InferenceConfig } from "./config.ts";
import { openDiskCache } from "./disk-cache.ts";
import { createEngine, type Engine } from "./engine.ts";
import { createModels } from "./models.ts";
import { startWorkers } from "./workers.ts";

const MIB = 1024 ** 2;
/** What a worker's process takes besides its sessions: Node, the runtime, and the tensors of one run. */
const WORKER_OVERHEAD_BYTES = 1_024 * MIB;

/** Builds the engine from the settings: the same for the HTTP server and for Lambda. */
export async function compose(config: InferenceConfig): Promise<Engine> {
  const artefacts = createArtefacts({ region: config.AWS_REGION, bucket: config.WEIR_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  const download = (sha256: string) => artefacts.read(blobKey(sha256));
  const disk = await openDiskCache({ folder: config.WEIR_CACHE_DIR, bytesMax: config.WEIR_CACHE_MIB * MIB, download });
  const engine = createEngine({
    models: createModels(artefacts, disk),
    queue: {
      inputsMax: config.WEIR_QUEUE_INPUTS_MAX,
      batchTokensMax: config.WEIR_BATCH_TOKENS,
      batchInputsMax: config.WEIR_BATCH_INPUTS,
    },
    clock: systemClock,
    startWorkers: (onIdle) => startWorkers(config.WEIR_WORKERS, { ...workerSettings(config), onIdle }),
  });
  const close = async () => {
    await engine.close();
    artefacts.close();
  };
  return { ...engine, close };
}

function workerSettings(config: InferenceConfig) {
  const sessionBytesMax = Math.floor((config.WEIR_SESSION_MEMORY_MIB * MIB) / config.WEIR_WORKERS);
  return {
    order: {
      threads: config.WEIR_THREADS_PER_WORKER,
      provider: config.WEIR_TIER === "gpu" ? ("cuda" as const) : ("cpu" as const),
      sessionBytesMax,
      rssBytesMax: sessionBytesMax + WORKER_OVERHEAD_BYTES,
      parentPid: process.pid,
    },
    environment: config.workerEnvironment,
    runTimeoutMs: config.WEIR_RUN_TIMEOUT_MS,
    log: logJson,
  };
}
