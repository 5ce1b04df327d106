import { Failure } from "../../base/failure.ts";
import type { CoderValue, CoderWork } from "../runtime/coder-wire.ts";
import { createLane, ended, type Job, type LaneLimits, type StartDoer } from "./coder-lane.ts";

export type PoolLimits = LaneLimits & {
  readonly lanes: number;
  /** Calls that may wait for a lane. */
  readonly waitingMax: number;
};

export type CoderPool = {
  readonly call: (folder: string, work: CoderWork, signal?: AbortSignal) => Promise<CoderValue>;
  readonly close: () => Promise<void>;
};

const RETRY_AFTER_MS = 1_000;

/** A few threads or processes, each of which does one call at a time. A call takes whichever is free, rather one that knows its model. */
export function createCoderPool(start: StartDoer, limits: PoolLimits): CoderPool {
  const lanes = Array.from({ length: limits.lanes }, () => createLane(start, limits, dispatch));
  let waiting: Job[] = [];
  let lastId = 0;
  let isClosed = false;

  function dispatch() {
    const [job] = waiting;
    const free = lanes.filter((lane) => !lane.isBusy());
    const lane = job && (free.find((each) => each.knows(job.call.folder)) ?? free[0]);
    if (job === undefined || lane === undefined) return;
    waiting = waiting.slice(1);
    lane.run(job);
    dispatch();
  }

  function call(folder: string, work: CoderWork, signal?: AbortSignal): Promise<CoderValue> {
    if (isClosed) throw ended();
    if (signal?.aborted) throw cancelled();
    if (waiting.length >= limits.waitingMax)
      throw new Failure("overloaded", "Too many texts wait for their tokenizer.", { retryAfterMs: RETRY_AFTER_MS });
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting = waiting.filter((each) => each !== job);
        job.reject(cancelled());
      };
      const settle =
        <Value>(tell: (value: Value) => void) =>
        (value: Value) => {
          signal?.removeEventListener("abort", leave);
          tell(value);
        };
      lastId += 1;
      const job: Job = { call: { id: lastId, folder, work }, resolve: settle(resolve), reject: settle(reject) };
      signal?.addEventListener("abort", leave, { once: true });
      waiting.push(job);
      dispatch();
    });
  }

  async function close() {
    isClosed = true;
    for (const job of waiting.splice(0)) job.reject(ended());
    await Promise.all(lanes.map((lane) => lane.close()));
  }

  return { call, close };
}

const cancelled = () => new Failure("cancelled", "The caller left.");
