import { corrected } from "../../shared/limits/correction.ts";
import { believed, itemKeyAt, type Level, roomIn, spent, wholeLevel } from "../../shared/limits/level.ts";
import type { LeaseStore } from "../../shared/limits/limiter.ts";
import type { CreditPolicy } from "../../shared/limits/policy.ts";

/** What becomes of a call: it works; it is applied and nobody hears of it; it never arrives; or its answer waits until `deliver`. */
export type Fate = "works" | "lost" | "fails" | "late";

/** The rules of the real stores, in memory, for simulations of many thousand requests. */
export type MemoryLimits = {
  readonly leases: LeaseStore;
  readonly levelOf: (policy: CreditPolicy, nowUs: number) => Level;
  /** Of the calls to come, in turn; all work when there are no more. */
  readonly fates: Fate[];
  readonly callCount: () => number;
  /** Hands over the answers that are late. */
  readonly deliver: () => void;
};

export function createMemoryLimits(lesseeCount = 3): MemoryLimits {
  const levels = new Map<string, Level>();
  const fates: Fate[] = [];
  const late: (() => void)[] = [];
  let callCount = 0;
  const levelOf = (policy: CreditPolicy, nowUs: number) => {
    const level = levels.get(itemKeyAt(policy, nowUs));
    return level === undefined ? wholeLevel(policy) : believed(policy, level, nowUs);
  };

  async function answered<T>(work: () => T): Promise<T> {
    callCount += 1;
    const fate = fates.shift() ?? "works";
    if (fate === "fails") throw new Error("the store is away");
    const answer = work();
    if (fate === "lost") throw new Error("the answer was lost");
    if (fate === "late") await new Promise<void>((resolve) => late.push(resolve));
    return answer;
  }

  return {
    fates,
    levelOf,
    callCount: () => callCount,
    deliver() {
      for (const resolve of late.splice(0)) resolve();
    },
    leases: {
      lease: ({ policy, need, want, nowUs }) =>
        answered(() => {
          const level = levelOf(policy, nowUs);
          const room = roomIn(policy, level, nowUs);
          const granted = room < need ? 0 : Math.min(want, room);
          const moved = granted === 0 ? level : spent(policy, { level, credits: granted }, nowUs);
          levels.set(itemKeyAt(policy, nowUs), moved);
          return { granted, level: moved, lesseeCount };
        }),
      correct: (correction) =>
        answered(() => {
          const { policy, nowUs } = correction;
          levels.set(itemKeyAt(policy, nowUs), corrected(levelOf(policy, nowUs), correction));
          return true;
        }),
      look: (policy, nowUs) => answered(() => levelOf(policy, nowUs)),
    },
  };
}
