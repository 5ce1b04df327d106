import type { Failure } from "../../base/failure.ts";
import type { WorkerAnswer, WorkerCall } from "./worker-protocol.ts";

type Pending = {
  readonly model: string;
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (failure: Failure) => void;
  readonly timer: NodeJS.Timeout;
};

/** The one call that a worker may have, until it is settled: by its answer, by the worker's end, or because it took too long. */
export function createPendingCall() {
  let pending: Pending | undefined;
  return {
    isSettled: () => pending === undefined,
    models: () => (pending === undefined ? [] : [pending.model]),
    start: ({ graph }: WorkerCall, timeoutMs: number, giveUp: () => void) =>
      new Promise<WorkerAnswer>((resolve, reject) => {
        pending = { model: graph.key, resolve, reject, timer: setTimeout(giveUp, timeoutMs) };
      }),
    settle(): Pending | undefined {
      const settled = pending;
      pending = undefined;
      clearTimeout(settled?.timer);
      return settled;
    },
  };
}
