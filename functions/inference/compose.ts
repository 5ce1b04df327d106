import { systemClock } from "../../shared/base/clock.ts";
import { createArtefacts } from "../../shared/inference/engine/artefacts.s3.ts";
import { createThreadCoders } from "../../shared/inference/engine/coder-thread.ts";
import { openDiskCache } from "../../shared/inference/engine/disk-cache.ts";
import { createEngine, type Engine } from "../../shared/inference/engine/engine.ts";
import { createModels } from "../../shared/inference/engine/models.ts";
import { startWorkers } from "../../shared/inference/engine/workers.ts";
import { logJson } from "../../shared/log/log.ts";
import { blobKey } from "../../shared/models/version.ts";
import type { InferenceConfig } from "./config.ts";
import { spawnProcess } from "./worker-process.ts";

const MIB = 1024 ** 2;
/** What a worker's process takes besides its sessions: Node, the runtime, and the tensors of one run. */
const WORKER_OVERHEAD_BYTES = 1_024 * MIB;

/** Builds the engine from the settings: the same for the HTTP server and for Lambda. */
export async function compose(config: InferenceConfig): Promise<Engine> {
  const artefacts = createArtefacts({ region: config.AWS_REGION, bucket: config.WEIR_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  const download = (sha256: string) => artefacts.read(blobKey(sha256));
  const disk = await openDiskCache({ folder: config.WEIR_CACHE_DIR, bytesMax: config.WEIR_CACHE_MIB * MIB, download });
  const engine = createEngine({
    models: createModels({ artefacts, disk, coders: createThreadCoders() }),
    queue: {
      inputsMax: config.WEIR_QUEUE_INPUTS_MAX,
      batchTokensMax: config.WEIR_BATCH_TOKENS,
      batchInputsMax: config.WEIR_BATCH_INPUTS,
      ...(config.batchTokensEnough === undefined ? {} : { batchTokensEnough: config.batchTokensEnough }),
      waitMsMax: config.WEIR_QUEUE_WAIT_MS_MAX,
    },
    generationsMax: config.WEIR_GENERATIONS_WAITING_MAX,
    clock: systemClock,
    workerCount: config.WEIR_WORKERS,
    startWorkers: (reports) => startWorkers({ ...workersSettings(config), ...reports }),
  });
  const close = async () => {
    await engine.close();
    artefacts.close();
  };
  return { ...engine, close };
}

function workersSettings(config: InferenceConfig) {
  const count = config.WEIR_WORKERS;
  const shareOf = (mib: number) => Math.floor((mib * MIB) / count);
  const [sessionBytesMax, cacheBytesMax] = [shareOf(config.WEIR_SESSION_MEMORY_MIB), shareOf(config.WEIR_GENERATION_MEMORY_MIB)];
  const order = {
    threads: config.WEIR_THREADS_PER_WORKER,
    provider: config.WEIR_TIER === "gpu" ? ("cuda" as const) : ("cpu" as const),
    sessionBytesMax,
    cacheBytesMax,
    rssBytesMax: sessionBytesMax + cacheBytesMax + WORKER_OVERHEAD_BYTES,
    choicesMax: config.WEIR_CHOICES_PER_WORKER,
    parentPid: process.pid,
  };
  return {
    count,
    choicesMax: config.WEIR_CHOICES_PER_WORKER,
    spawn: spawnProcess(order, config.workerEnvironment),
    runTimeoutMs: config.WEIR_RUN_TIMEOUT_MS,
    log: logJson,
  };
}
