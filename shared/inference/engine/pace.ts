import { Failure } from "../../base/failure.ts";

/** How fast each model has been of late, to say at once whether a request can be done in time. */
export type Pace = {
  /** So many tokens of a model took a worker so long. */
  readonly note: (group: string, ran: { readonly tokens: number; readonly ms: number }) => void;
  /** Milliseconds that one worker takes for these tokens; models that have not run yet count nothing. */
  readonly msFor: (tokensOf: ReadonlyMap<string, number>) => number;
  /** A request for a model came with so many tokens. */
  readonly noteCall: (group: string, tokens: number) => void;
  /** What a model's next request is likely to come with; 0 before the first. */
  readonly callTokens: (group: string) => number;
};

/** The newest one's weight in an average: some twenty say what is true now. */
const NEWEST_SHARE = 0.1;
const GROUPS_MAX = 1_000;

export function createPace(): Pace {
  const msPerToken = new Map<string, number>();
  const tokensPerCall = new Map<string, number>();
  return {
    note: (group, { tokens, ms }) => average(msPerToken, group, ms / Math.max(1, tokens)),
    msFor: (tokensOf) => [...tokensOf].reduce((sum, [group, tokens]) => sum + tokens * (msPerToken.get(group) ?? 0), 0),
    noteCall: (group, tokens) => average(tokensPerCall, group, tokens),
    callTokens: (group) => tokensPerCall.get(group) ?? 0,
  };
}

/** Moves a group's average towards what was seen now, and forgets the groups that were seen longest ago. */
function average(averages: Map<string, number>, group: string, seen: number): void {
  const before = averages.get(group) ?? seen;
  averages.delete(group);
  averages.set(group, before + NEWEST_SHARE * (seen - before));
  for (const [oldest] of averages) if (averages.size > GROUPS_MAX) averages.delete(oldest);
}

/** Of the time that is left, how much an estimate may fill: under overload the queue stands at this line, and all behind it was computed for nobody if the pace falls by as much as is kept free. */
const SAFE_SHARE = 0.65;
/** Whoever has been let in is not sent away for the noise of a second estimate. */
const LET_IN_SHARE = 0.8;

export type TimeLeft = { readonly leftMs: number; readonly waitMsMax: number; readonly isLetIn: boolean };

/** Refuses at once what could only be answered too late, and says when to come back. */
export function refuseHopeless(waitMs: number, { leftMs, waitMsMax, isLetIn }: TimeLeft): void {
  const safeMs = Math.min(leftMs * SAFE_SHARE, waitMsMax);
  const mostMs = isLetIn ? safeMs * (LET_IN_SHARE / SAFE_SHARE) : safeMs;
  if (waitMs <= mostMs) return;
  const message = "The models are too busy to answer this request in time. Try again later.";
  throw new Failure("overloaded", message, { retryAfterMs: Math.ceil(waitMs - mostMs) });
}
