import { Failure } from "../../base/failure.ts";

/** How fast each model has been of late, to say at once whether a request can be done in time. */
export type Pace = {
  /** So many tokens of a model took a worker so long. */
  readonly note: (group: string, ran: { readonly tokens: number; readonly ms: number }) => void;
  /** Milliseconds that one worker takes for these tokens; models that have not run yet count nothing. */
  readonly msFor: (tokensOf: ReadonlyMap<string, number>) => number;
};

/** A run's weight in the average: some twenty runs say what is true now. */
const NEWEST_SHARE = 0.1;
const GROUPS_MAX = 1_000;

export function createPace(): Pace {
  const msPerToken = new Map<string, number>();
  return {
    note(group, { tokens, ms }) {
      const seen = ms / Math.max(1, tokens);
      const before = msPerToken.get(group) ?? seen;
      msPerToken.delete(group);
      msPerToken.set(group, before + NEWEST_SHARE * (seen - before));
      for (const [oldest] of msPerToken) if (msPerToken.size > GROUPS_MAX) msPerToken.delete(oldest);
    },
    msFor: (tokensOf) => [...tokensOf].reduce((sum, [group, tokens]) => sum + tokens * (msPerToken.get(group) ?? 0), 0),
  };
}

/** Of the time that is left, how much an estimate may fill: under overload the queue stands at this line, and behind it a little noise is too late. */
const SAFE_SHARE = 0.8;

/** Refuses at once what could only be answered too late, and says when to come back. */
export function refuseHopeless(waitMs: number, { leftMs, waitMsMax }: { leftMs: number; waitMsMax: number }): void {
  const mostMs = Math.min(leftMs * SAFE_SHARE, waitMsMax);
  if (waitMs <= mostMs) return;
  const message = "The models are too busy to answer this request in time. Try again later.";
  throw new Failure("overloaded", message, { retryAfterMs: Math.ceil(waitMs - mostMs) });
}
