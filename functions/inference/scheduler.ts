import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import { joinRows, type Rows } from "../../shared/inference/runtime/forward.ts";
import { createQueue, type Queue, type QueueLimits, type Waiting } from "../../shared/inference/runtime/queue.ts";
import type { EncodedInput } from "../../shared/inference/runtime/tokenize.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Graph, WorkerCall } from "./worker-protocol.ts";
import type { Workers } from "./workers.ts";

/** Who waits, and until when. */
export type Caller = Pick<Waiting, "signal" | "deadlineAtMs">;

export type Computed = {
  readonly rows: Rows;
  /** Until the last of its inputs went to a worker, and what the batches with its inputs took together. */
  readonly queueMs: number;
  readonly runMs: number;
};

export type Scheduler = {
  /** Computes a row per input, in order. Fails with `overloaded`, `invalid_request`, `timeout`, `cancelled`, `engine_failed` or `unavailable`. */
  readonly compute: (graph: Graph, inputs: readonly EncodedInput[], caller: Caller) => Promise<Computed>;
  /** Gives batches to idle workers: whatever has queued while they ran, without any wait for more. */
  readonly pump: () => void;
};

export type SchedulerParts = {
  readonly queue: QueueLimits;
  readonly workers: Pick<Workers, "idleCount" | "run">;
  readonly quarantine: Quarantine;
  readonly clock: Clock;
  /** Told when a graph did not load. */
  readonly doubt: (graph: Graph) => void;
};

/** One input on its way through queue and worker, and whom to tell. */
type Job = Waiting & {
  readonly graph: Graph;
  readonly input: EncodedInput;
  readonly done: (row: Rows, batch: BatchTimes) => void;
};
type BatchTimes = { readonly startedAtMs: number; readonly runMs: number };

export function createScheduler(parts: SchedulerParts): Scheduler {
  const queue = createQueue<Job>(parts.queue, parts.clock);
  const pump = () => giveBatches(queue, parts);
  return {
    pump,
    compute(graph, inputs, caller) {
      const arrivedAtMs = parts.clock.nowMs();
      return new Promise((resolve, reject) => {
        const collect = collectRows(inputs.length, arrivedAtMs, resolve);
        const shared = { ...caller, graph, group: graph.key, isPadded: graph.isBatched, refuse: reject };
        const turns = turnsOf(inputs, arrivedAtMs);
        const jobOf = (input: EncodedInput, index: number): Job => ({
          ...shared,
          input,
          tokens: input.ids.length,
          turnAtMs: turns[index] ?? arrivedAtMs,
          done: (row, batch) => collect(index, row, batch),
        });
        queue.add(inputs.map(jobOf));
        pump();
      });
    },
  };
}

/**
 * A request of thousands of inputs would hold up everybody who comes after it, so each of its inputs queues as if it had come after those
 * before it were computed at 2,000 tokens a second. Whoever comes later than that waits behind it, so it is not put off for ever.
 */
function turnsOf(inputs: readonly EncodedInput[], arrivedAtMs: number): number[] {
  let tokensBefore = 0;
  return inputs.map(({ ids }) => {
    const turnAtMs = arrivedAtMs + tokensBefore * TURN_MS_PER_TOKEN;
    tokensBefore += ids.length;
    return turnAtMs;
  });
}

const TURN_MS_PER_TOKEN = 0.5;

function giveBatches(queue: Queue<Job>, parts: SchedulerParts) {
  for (let idle = parts.workers.idleCount(); idle > 0; idle -= 1) {
    const batch = queue.take(idle);
    const [first] = batch;
    if (first === undefined) return;
    void runBatch(parts, first.graph, batch);
  }
}

async function runBatch(parts: SchedulerParts, graph: Graph, batch: readonly Job[]) {
  const startedAtMs = parts.clock.nowMs();
  try {
    const { rows, runMs } = await runCall(parts, { graph, inputs: batch.map(({ input }) => input) });
    const times = { startedAtMs, runMs };
    const { values, width } = rows;
    batch.forEach((job, index) => {
      job.done({ values: values.subarray(index * width, (index + 1) * width), width }, times);
    });
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure("engine_failed", "The model could not be run.", { cause: error });
    for (const job of batch) job.refuse(failure);
  }
}

async function runCall({ workers, quarantine, doubt }: SchedulerParts, call: WorkerCall) {
  const answer = await workers.run(call).catch((error: unknown) => {
    // The worker died of it or had to be ended.
    quarantine.blame(call.graph.key);
    throw error;
  });
  if (answer.kind === "rows") {
    quarantine.clear(call.graph.key);
    return answer;
  }
  if (answer.stage === "load") doubt(call.graph);
  throw new Failure(answer.stage === "memory" ? "unavailable" : "engine_failed", answer.message);
}

/** Gathers a request's rows from the batches that its inputs went with, in whatever order they end. */
function collectRows(count: number, arrivedAtMs: number, resolve: (computed: Computed) => void) {
  const rows = new Array<Rows>(count);
  const batches = new Set<BatchTimes>();
  let missing = count;
  return (index: number, row: Rows, batch: BatchTimes) => {
    rows[index] = row;
    batches.add(batch);
    missing -= 1;
    if (missing > 0) return;
    const times = [...batches];
    const startedAtMs = times.reduce((latest, batch) => Math.max(latest, batch.startedAtMs), arrivedAtMs);
    const runMs = times.reduce((sum, batch) => sum + batch.runMs, 0);
    resolve({ rows: joinRows(rows), queueMs: startedAtMs - arrivedAtMs, runMs });
  };
}
