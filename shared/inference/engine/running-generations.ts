import type { Failure } from "../../base/failure.ts";
import type { GenerateEvent } from "../generation.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import type { Graph } from "./worker-protocol.ts";

/** Whom a generation reports to. `fail` is its last word, as the event `done` is. */
export type GenerationSink = { readonly event: (event: GenerateEvent) => void; readonly fail: (failure: Failure) => void };

const WATCH_MS = 1_000;

/** The generations that a worker has, and a watch over its silence while it has any. */
export function createRunningGenerations(silenceMsMax: number, onSilence: () => void) {
  const running = new Map<string, { readonly model: string; readonly sink: GenerationSink; readonly choices: number }>();
  let heardAtMs = 0;
  let watch: NodeJS.Timeout | undefined;
  const touch = () => {
    heardAtMs = performance.now();
  };
  const remove = (id: string) => {
    const found = running.get(id);
    running.delete(id);
    if (running.size === 0) clearInterval(watch);
    return found;
  };
  return {
    touch,
    models: () => [...running.values()].map(({ model }) => model),
    choices: () => [...running.values()].reduce((sum, { choices }) => sum + choices, 0),
    add({ key: model }: Graph, order: GenerateOrder, sink: GenerationSink) {
      if (running.size === 0) {
        touch();
        watch = setInterval(() => performance.now() - heardAtMs > silenceMsMax && onSilence(), WATCH_MS);
      }
      running.set(order.id, { model, sink, choices: order.prompts.length * order.n });
    },
    /** True when a generation has ended with it. */
    tell(id: string, event: GenerateEvent): boolean {
      touch();
      const isLast = event.kind === "done";
      (isLast ? remove(id) : running.get(id))?.sink.event(event);
      return isLast;
    },
    refuse: (id: string, failure: Failure) => remove(id)?.sink.fail(failure),
    drop: (id: string) => remove(id) !== undefined,
    bury(failure: Failure) {
      for (const id of [...running.keys()]) remove(id)?.sink.fail(failure);
    },
    close: () => clearInterval(watch),
  };
}
