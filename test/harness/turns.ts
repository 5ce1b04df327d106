import { setImmediate } from "node:timers/promises";

/** Lets several workers go on one step at a time, in an order that a draw decides. */
export type Turns = {
  /** Resolves when it is this one's turn. */
  readonly take: () => Promise<void>;
  /** Gives turns until all work has ended. */
  readonly until: (work: Promise<unknown>) => Promise<void>;
};

const TURNS_MAX = 1_000_000;

/** `below` draws an integer in [0, bound). */
export function createTurns(below: (bound: number) => number): Turns {
  const waiting: (() => void)[] = [];
  return {
    take: () => new Promise((resolve) => waiting.push(resolve)),
    async until(work) {
      let isDone = false;
      const end = () => {
        isDone = true;
      };
      work.then(end, end);
      for (let turns = 0; !isDone && turns < TURNS_MAX; turns += 1) {
        const [next] = waiting.length === 0 ? [] : waiting.splice(below(waiting.length), 1);
        next?.();
        await setImmediate();
      }
      await work;
    },
  };
}
