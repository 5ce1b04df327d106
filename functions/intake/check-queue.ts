import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../shared/base/failure.ts";
import type { Log } from "../../shared/log/log.ts";
import type { IntakeJob } from "../../shared/models/intake-client.ts";

export type CheckQueue = {
  /** Takes a job unless it waits already. Fails with `overloaded` if too many do. */
  readonly add: (job: IntakeJob) => void;
  /** Stops what runs and forgets what waits: both are still `checking`, and the next start takes them up. */
  readonly stop: () => Promise<void>;
};

export type CheckQueueSettings = {
  readonly check: (job: IntakeJob, signal: AbortSignal) => Promise<unknown>;
  readonly atOnceMax: number;
  readonly waitingMax: number;
  readonly log: Log;
  /** Waits before a check that failed by our fault is tried again; after the last one the hourly round takes it up. */
  readonly retryWaitsMs: readonly number[];
};

/** A bounded queue of checks: each version waits once and is never checked twice at the same time by this process. */
export function createCheckQueue(settings: CheckQueueSettings): CheckQueue {
  const waiting = new Map<string, IntakeJob>();
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();

  function pump() {
    for (const [name, job] of waiting) {
      if (running.size >= settings.atOnceMax) return;
      if (running.has(name)) continue;
      waiting.delete(name);
      running.set(name, run(name, job));
    }
  }

  async function run(name: string, job: IntakeJob) {
    await checkPatiently(settings, job, stopping.signal);
    running.delete(name);
    pump();
  }

  return {
    add(job) {
      const name = `${job.model}@${job.number}`;
      if (waiting.has(name) || stopping.signal.aborted) return;
      if (waiting.size >= settings.waitingMax) throw new Failure("overloaded", `${waiting.size} versions wait to be checked.`);
      waiting.set(name, job);
      pump();
    },
    async stop() {
      stopping.abort();
      waiting.clear();
      await Promise.all(running.values());
    },
  };
}

async function checkPatiently({ check, log, retryWaitsMs }: CheckQueueSettings, job: IntakeJob, signal: AbortSignal) {
  for (const waitMs of [...retryWaitsMs, undefined]) {
    try {
      log("info", "a version was checked", { ...job, state: await check(job, signal) });
      return;
    } catch (error) {
      if (signal.aborted) return;
      log("error", "a version could not be checked", { ...job, error });
    }
    if (waitMs !== undefined) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}
