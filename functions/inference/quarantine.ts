import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";

/** Keeps a model that kills workers, or never ends, from taking them from all the others. */
export type Quarantine = {
  /** Fails with `engine_failed` while the model is set aside. */
  readonly check: (model: string) => void;
  /** The model ended a worker. */
  readonly blame: (model: string) => void;
  /** The model answered. */
  readonly clear: (model: string) => void;
};

/** One death may be chance, or a neighbour's fault. */
const DEATHS_MAX = 2;
const PAUSE_MS = 60_000;

export function createQuarantine(clock: Clock): Quarantine {
  const blamed = new Map<string, { deaths: number; untilMs: number }>();
  return {
    check(model) {
      const leftMs = (blamed.get(model)?.untilMs ?? 0) - clock.nowMs();
      if (leftMs <= 0) return;
      throw new Failure("engine_failed", "The model has ended the processes that ran it and is set aside.", { retryAfterMs: leftMs });
    },
    blame(model) {
      const deaths = (blamed.get(model)?.deaths ?? 0) + 1;
      blamed.set(model, { deaths, untilMs: deaths < DEATHS_MAX ? 0 : clock.nowMs() + PAUSE_MS });
    },
    clear: (model) => void blamed.delete(model),
  };
}
