import { Failure } from "../../shared/base/failure.ts";
import { startWorker, type Worker, type WorkerSettings } from "./worker.ts";
import type { WorkerAnswer, WorkerCall } from "./worker-protocol.ts";

/** The processes that run models: as many runs at once as there are workers. */
export type Workers = {
  readonly idleCount: () => number;
  readonly isUp: () => boolean;
  /** Resolves once the first of them is up. */
  readonly untilUp: Promise<void>;
  /** Gives a call to an idle worker. */
  readonly run: (call: WorkerCall) => Promise<WorkerAnswer>;
  readonly close: () => Promise<void>;
};

export function startWorkers(count: number, settings: WorkerSettings): Workers {
  const { promise: untilUp, resolve: isUpNow } = Promise.withResolvers<void>();
  const onIdle = () => {
    isUpNow();
    settings.onIdle();
  };
  const workers = Array.from({ length: count }, () => startWorker({ ...settings, onIdle }));
  return {
    untilUp,
    idleCount: () => workers.filter((worker) => worker.isIdle()).length,
    isUp: () => workers.some((worker) => worker.isUp()),
    run: (call) => chosenFor(workers).run(call),
    close: async () => void (await Promise.all(workers.map((worker) => worker.close()))),
  };
}

function chosenFor(workers: readonly Worker[]): Worker {
  const idle = workers.find((worker) => worker.isIdle());
  if (idle === undefined) throw new Failure("unavailable", "No worker is free.");
  return idle;
}
