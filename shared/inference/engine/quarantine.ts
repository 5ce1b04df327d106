import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";

/** Keeps a model that kills workers, or never ends, from taking them from all the others. */
export type Quarantine = {
  /** Fails with `engine_failed` while the model is set aside. */
  readonly check: (model: string) => void;
  /** The model ended a worker, and how: told once for each end, however many requests it had there. */
  readonly blame: (model: string, reason: string) => void;
  /** The model answered. */
  readonly clear: (model: string) => void;
};

/** One death may be chance, or a neighbour's fault. */
const DEATHS_MAX = 2;
const PAUSE_MS = 60_000;

export function createQuarantine(clock: Clock): Quarantine {
  const blamed = new Map<string, { deaths: number; untilMs: number; reason: string }>();
  return {
    check(model) {
      const { untilMs, reason } = blamed.get(model) ?? { untilMs: 0, reason: "" };
      const leftMs = untilMs - clock.nowMs();
      if (leftMs <= 0) return;
      const message = `The model has ended the processes that ran it and is set aside as unhealthy: ${reason}`;
      throw new Failure("engine_failed", message, { retryAfterMs: leftMs });
    },
    blame(model, reason) {
      const deaths = (blamed.get(model)?.deaths ?? 0) + 1;
      blamed.set(model, { deaths, reason, untilMs: deaths < DEATHS_MAX ? 0 : clock.nowMs() + PAUSE_MS });
    },
    clear: (model) => void blamed.delete(model),
  };
}
