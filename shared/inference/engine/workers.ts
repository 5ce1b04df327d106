import { Failure } from "../../base/failure.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import type { GenerationSink } from "./running-generations.ts";
import { startWorker, type Worker, type WorkerSettings } from "./worker.ts";
import type { Graph, WorkerAnswer, WorkerCall } from "./worker-protocol.ts";

/** The bodies that run models: as many runs at once as there are workers, and some generations in each. */
export type Workers = {
  readonly idleCount: () => number;
  readonly isUp: () => boolean;
  /** Resolves once the first of them is up. */
  readonly untilUp: Promise<void>;
  /** Gives a call to an idle worker. */
  readonly run: (call: WorkerCall) => Promise<WorkerAnswer>;
  /** Whether one of them may take another generation. */
  readonly hasRoom: () => boolean;
  /** Gives a generation to the worker with the fewest choices; answers what to call when nobody wants the rest. */
  readonly generate: (graph: Graph, order: GenerateOrder, sink: GenerationSink) => () => void;
  readonly close: () => Promise<void>;
};

export type WorkersSettings = WorkerSettings & {
  readonly count: number;
  /** Choices of one worker at which it is given no more generations. */
  readonly choicesMax: number;
};

export function startWorkers({ count, choicesMax, ...settings }: WorkersSettings): Workers {
  const { promise: untilUp, resolve: isUpNow } = Promise.withResolvers<void>();
  const onIdle = () => {
    isUpNow();
    settings.onIdle();
  };
  const workers = Array.from({ length: count }, () => startWorker({ ...settings, onIdle }));
  // Whose room is not full yet takes an order of any size: the order's own limits bound it, and the generator lets it wait for memory.
  const withRoom = () => workers.filter((worker) => worker.takesGenerations() && worker.choices() < choicesMax);
  return {
    untilUp,
    idleCount: () => workers.filter((worker) => worker.isIdle()).length,
    isUp: () => workers.some((worker) => worker.isUp()),
    run: (call) => idleOf(workers).run(call),
    hasRoom: () => withRoom().length > 0,
    generate(graph, order, sink) {
      const [least] = withRoom().sort((a, b) => a.choices() - b.choices());
      if (least === undefined) throw noneFree();
      return least.generate(graph, order, sink);
    },
    close: async () => void (await Promise.all(workers.map((worker) => worker.close()))),
  };
}

/** One that generates nothing first: there a call has not to wait for a step. */
function idleOf(workers: readonly Worker[]): Worker {
  const [quietest] = workers.filter((worker) => worker.isIdle()).sort((a, b) => a.choices() - b.choices());
  if (quietest === undefined) throw noneFree();
  return quietest;
}

function noneFree(): Failure {
  return new Failure("unavailable", "No worker is free.");
}
