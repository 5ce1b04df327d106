import type { Failure } from "../../../base/failure.ts";
import type { Seat } from "./cache-pool.ts";
import type { Choice } from "./choice.ts";
import type { GenerateOrder, Matcher, OrderPlan, OrderSink } from "./order.ts";

/** An order from when it is taken until its last word. */
export type LiveOrder = {
  readonly order: GenerateOrder;
  readonly plan: OrderPlan;
  readonly sink: OrderSink;
  readonly seed: number;
  readonly addedAtMs: number;
  /** A grammar that was started to see whether it can be; the first choice takes it. */
  firstMatcher: Matcher | undefined;
  startedAtMs: number | undefined;
  runMs: number;
  /** Of each choice, once it has finished. */
  readonly outputTokens: (number | undefined)[];
  choicesLeft: number;
  /** Done, failed or cancelled: nothing more may be said. */
  isOver: boolean;
};

/** A prompt and its choices, which read it once and run side by side. */
export type Group = { readonly live: LiveOrder; readonly promptIndex: number; readonly prompt: Int32Array };

/** A choice that has a seat and reads its own tokens. */
export type Member = {
  readonly live: LiveOrder;
  readonly choice: Choice;
  readonly index: number;
  readonly seat: Seat;
  readonly need: number;
};

export function openOrder(order: GenerateOrder, sink: OrderSink, more: Pick<LiveOrder, "plan" | "seed" | "addedAtMs">): LiveOrder {
  const choices = order.prompts.length * order.n;
  return {
    order,
    sink,
    ...more,
    firstMatcher: undefined,
    startedAtMs: undefined,
    runMs: 0,
    outputTokens: new Array<undefined>(choices).fill(undefined),
    choicesLeft: choices,
    isOver: false,
  };
}

export function groupsOf(live: LiveOrder): Group[] {
  return live.order.prompts.map((prompt, promptIndex) => ({ live, promptIndex, prompt }));
}

/** Counts a choice that has finished, and says so when it was the last. */
export function closeChoice(live: LiveOrder, index: number, choice: Pick<Choice, "drawn">): void {
  live.outputTokens[index] = choice.drawn();
  live.choicesLeft -= 1;
  if (live.choicesLeft > 0 || live.isOver) return;
  live.isOver = true;
  const queueMs = (live.startedAtMs ?? live.addedAtMs) - live.addedAtMs;
  live.sink.event({ kind: "done", outputTokens: live.outputTokens.map((tokens = 0) => tokens), queueMs, runMs: live.runMs });
}

/** The first failure is the only one, and nothing comes after it. */
export function failOrder(live: LiveOrder, failure: Failure): void {
  if (live.isOver) return;
  live.isOver = true;
  live.sink.fail(failure);
}
