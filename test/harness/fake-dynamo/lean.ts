import type { LeanDynamo, Operation } from "../../../shared/dynamo/lean-client.ts";
import type { FakeDynamo } from "./fake-dynamo.ts";

/** What a test wants to know of calls, and do to them. */
export type LeanUse = {
  /** Awaited before a call is done; what it throws is the caller's, and nothing is done. */
  readonly before?: (operation: Operation, input: object) => Promise<void> | void;
  /** Awaited when a call is done; what it throws the caller gets instead of the answer: a lost acknowledgement. */
  readonly after?: (operation: Operation, input: object) => Promise<void> | void;
  readonly seen?: (operation: Operation, table: string) => void;
  /** How far the clock of whoever calls is ahead of the store's; absent: it is right. */
  readonly clockSkewMs?: () => number;
};

/** The hot path's client over a store in memory: every call is done at once. */
export function leanOver(store: FakeDynamo, { before, after, seen, clockSkewMs = () => 0 }: LeanUse = {}): LeanDynamo {
  return {
    async call<T>(operation: Operation, input: object): Promise<T> {
      await before?.(operation, input);
      seen?.(operation, "TableName" in input ? String(input.TableName) : "");
      const answer = store.apply(operation, input, { nowMs: 0, lagMs: 0 });
      await after?.(operation, input);
      return answer as T; // the fake answers in DynamoDB's own shapes
    },
    clockSkewMs,
    close: async () => {},
  };
}
