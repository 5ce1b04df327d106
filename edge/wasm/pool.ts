import { systemClock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import type { InferenceClient } from "../../shared/inference/contract.ts";
import { createArtefacts } from "../../shared/inference/engine/artefacts.s3.ts";
import { createThreadCoders } from "../../shared/inference/engine/coder-thread.ts";
import { openDiskCache } from "../../shared/inference/engine/disk-cache.ts";
import { createEngine, type Engine } from "../../shared/inference/engine/engine.ts";
import { createModels } from "../../shared/inference/engine/models.ts";
import { startWorkers } from "../../shared/inference/engine/workers.ts";
import { INPUTS_MAX } from "../../shared/inference/wire-request.ts";
import type { Log } from "../../shared/log/log.ts";
import { blobKey } from "../../shared/models/version.ts";
import { spawnThread, type ThreadOrder } from "./thread-body.ts";

export type WasmPoolSettings = {
  readonly artefacts: Parameters<typeof createArtefacts>[0];
  /** Where versions' files are kept between starts, this process's alone, and how many bytes of them. */
  readonly cacheDir: string;
  readonly cacheBytesMax: number;
  /** Runs side by side; each has its own copy of a model. */
  readonly threads: number;
  /** WebAssembly memory of all threads together. */
  readonly memoryBytesMax: number;
  /** A thread that holds more is replaced; absent, a share of its memory. */
  readonly spentBytesMin?: number;
  readonly log: Log;
};

export type WasmPool = InferenceClient & {
  /** Takes no more work, ends what is under way, then the threads. */
  readonly close: () => Promise<void>;
};

/** Of a thread's memory. What a model takes loaded is measured at one to three times its files, and loading takes another copy of them. */
const SHARES = { weights: 1 / 4, sessions: 1 / 2, caches: 1 / 8, spent: 3 / 4 } as const;
/** Runs of more tokens are no faster on one thread, and take more memory. */
const BATCH_TOKENS_MAX = 1_024;
const BATCH_TOKENS_ENOUGH = 256;
const BATCH_INPUTS_MAX = 32;
/** One request of the largest size, and as much of others'. */
const QUEUE_INPUTS_MAX = 2 * INPUTS_MAX;
const QUEUE_WAIT_MS_MAX = 5_000;
const GENERATIONS_WAITING_MAX = 32;
const CHOICES_PER_THREAD_MAX = 4;
/** A run that takes longer, loading included, is stopped with its thread. */
const RUN_TIMEOUT_MS = 30_000;
const CODER_LIMITS = { threads: 1, tokenizersMax: 4, heapMibMax: 256 } as const;
const DRAIN_TIMEOUT_MS = 10_000;

/** Small models in this process: their tokenizers and runs are in threads, so that its event loop has only messages to pass. */
export async function createWasmPool(settings: WasmPoolSettings): Promise<WasmPool> {
  const artefacts = createArtefacts(settings.artefacts);
  const engine = await openEngine(settings, artefacts);
  const work = createWork();
  return {
    run: (request, limits) => work.during(() => engine.run(request, limits)),
    generate: (call, limits) => work.through(() => engine.generate(call, limits)),
    async close() {
      await work.end(DRAIN_TIMEOUT_MS);
      await engine.close();
      artefacts.close();
    },
  };
}

async function openEngine(settings: WasmPoolSettings, artefacts: ReturnType<typeof createArtefacts>): Promise<Engine> {
  const { cacheDir: folder, cacheBytesMax: bytesMax, threads: count, log } = settings;
  const disk = await openDiskCache({ folder, bytesMax, download: (sha256) => artefacts.read(blobKey(sha256)) });
  const shareOf = (share: number) => Math.floor((settings.memoryBytesMax / count) * share);
  const order: ThreadOrder = {
    memoryBytesMax: shareOf(1),
    sessionBytesMax: shareOf(SHARES.sessions),
    cacheBytesMax: shareOf(SHARES.caches),
    spentBytesMin: settings.spentBytesMin ?? shareOf(SHARES.spent),
    choicesMax: CHOICES_PER_THREAD_MAX,
  };
  const workers = {
    count,
    choicesMax: CHOICES_PER_THREAD_MAX,
    spawn: spawnThread(order, log),
    runTimeoutMs: RUN_TIMEOUT_MS,
    log,
  };
  return createEngine({
    models: createModels({ artefacts, disk, coders: createThreadCoders(CODER_LIMITS), weightBytesMax: shareOf(SHARES.weights) }),
    queue: {
      inputsMax: QUEUE_INPUTS_MAX,
      batchTokensMax: BATCH_TOKENS_MAX,
      batchTokensEnough: BATCH_TOKENS_ENOUGH,
      batchInputsMax: BATCH_INPUTS_MAX,
      waitMsMax: QUEUE_WAIT_MS_MAX,
    },
    generationsMax: GENERATIONS_WAITING_MAX,
    clock: systemClock,
    workerCount: count,
    startWorkers: (reports) => startWorkers({ ...workers, ...reports }),
  });
}

/** Counts what is under way, so that closing can wait for it. */
function createWork() {
  let running = 0;
  let isEnding = false;
  const idle = Promise.withResolvers<void>();
  const begin = () => {
    if (isEnding) throw new Failure("unavailable", "The edge tier is shutting down.");
    running += 1;
  };
  const finish = () => {
    running -= 1;
    if (isEnding && running === 0) idle.resolve();
  };
  return {
    async during<T>(run: () => Promise<T>): Promise<T> {
      begin();
      return run().finally(finish);
    },
    async *through<T>(run: () => AsyncIterable<T>): AsyncGenerator<T> {
      begin();
      try {
        yield* run();
      } finally {
        finish();
      }
    },
    async end(timeoutMs: number): Promise<void> {
      isEnding = true;
      if (running === 0) return;
      const timer = setTimeout(() => idle.resolve(), timeoutMs);
      await idle.promise;
      clearTimeout(timer);
    },
  };
}
