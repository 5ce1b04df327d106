import type { Clock } from "../../shared/base/clock.ts";

/**
 * `closed`: calls go through. `open`: none does, for a time. `half-open`: that time is over, and one call at a time tries whether things are well again.
 * (M. Nygard, Release It!, "Circuit Breaker".)
 */
export type BreakerState = "closed" | "open" | "half-open";

export type BreakerLook = {
  readonly state: BreakerState;
  /** Why it opened. */
  readonly reason?: string;
  /** When a call may be tried again; 0 if one may now. */
  readonly retryInMs: number;
};

/** A call that went through. Its first word on how the call ended counts; a breaker that has moved on meanwhile does not listen. */
export type Admission = {
  readonly succeeded: () => void;
  readonly failed: (reason: string, retryAfterMs?: number) => void;
  /** The call says nothing either way: its caller left, or the queue was full. */
  readonly withdrawn: () => void;
};

export type Breaker = {
  /** Undefined: do not call. */
  readonly admit: () => Admission | undefined;
  readonly look: () => BreakerLook;
};

export const FAILURES_IN_ROW_MAX = 5;
/** Of the calls in this window, once there are enough to judge by, at most this share may fail. */
export const WINDOW_MS = 30_000;
export const WINDOW_CALLS_MIN = 20;
export const FAILED_SHARE_MAX = 0.5;
/** The first time that it is open; each trial that fails doubles it. */
export const OPEN_MS_MIN = 1_000;
/** Long enough to spare a pool that is gone, short enough that one that is back is not left alone for long. */
export const OPEN_MS_MAX = 30_000;
/** A trial that has said nothing for so long is given up, so that a lost word does not keep the breaker open for ever. */
export const TRIAL_MS_MAX = 60_000;

type Opened = { readonly untilMs: number; readonly openMs: number; readonly reason: string; trial?: Trial | undefined };
type Trial = { readonly startedAtMs: number };

/** A circuit breaker: a state machine over a clock, without timers. `onOpen` hears each time that it opens. */
export function createBreaker(clock: Clock, onOpen: (reason: string) => void = () => {}): Breaker {
  let outcomes = createOutcomes(clock);
  let opened: Opened | undefined;

  function open(reason: string, { openMs, retryAfterMs = 0 }: { openMs: number; retryAfterMs?: number | undefined }) {
    const waitMs = Math.min(OPEN_MS_MAX, Math.max(openMs, retryAfterMs));
    opened = { untilMs: clock.nowMs() + waitMs, openMs, reason };
    onOpen(reason);
  }

  function admitClosed(): Admission {
    const mine = outcomes;
    return once(() => opened === undefined && outcomes === mine, {
      succeeded: () => mine.note(true),
      failed(reason, retryAfterMs) {
        mine.note(false);
        if (mine.areTooBad()) open(reason, { openMs: OPEN_MS_MIN, retryAfterMs });
      },
      withdrawn: () => {},
    });
  }

  function admitTrial(from: Opened): Admission {
    const trial: Trial = { startedAtMs: clock.nowMs() };
    from.trial = trial;
    return once(() => opened === from && from.trial === trial, {
      succeeded() {
        opened = undefined;
        outcomes = createOutcomes(clock);
      },
      failed: (reason, retryAfterMs) => open(reason, { openMs: Math.min(OPEN_MS_MAX, from.openMs * 2), retryAfterMs }),
      withdrawn() {
        from.trial = undefined;
      },
    });
  }

  return {
    admit() {
      if (opened === undefined) return admitClosed();
      return retryInMs(opened, clock.nowMs()) > 0 ? undefined : admitTrial(opened);
    },
    look() {
      if (opened === undefined) return { state: "closed", retryInMs: 0 };
      const nowMs = clock.nowMs();
      return {
        state: waitMsOf(opened, nowMs) > 0 ? "open" : "half-open",
        reason: opened.reason,
        retryInMs: retryInMs(opened, nowMs),
      };
    },
  };
}

function retryInMs(opened: Opened, nowMs: number): number {
  const waitMs = waitMsOf(opened, nowMs);
  return waitMs === 0 && isTried(opened, nowMs) ? OPEN_MS_MIN : waitMs;
}

/** A clock that was set back must not keep it open for longer than it would have been. */
function waitMsOf({ untilMs }: Opened, nowMs: number): number {
  const leftMs = untilMs - nowMs;
  return leftMs > OPEN_MS_MAX ? 0 : Math.max(0, leftMs);
}

function isTried({ trial }: Opened, nowMs: number): boolean {
  return trial !== undefined && Math.abs(nowMs - trial.startedAtMs) < TRIAL_MS_MAX;
}

/** Lets the first word through, if the breaker still listens. */
function once(isHeard: () => boolean, { succeeded, failed, withdrawn }: Admission): Admission {
  let isSaid = false;
  const say = (tell: () => void) => {
    if (!isSaid && isHeard()) tell();
    isSaid = true;
  };
  return {
    succeeded: () => say(succeeded),
    failed: (reason, retryAfterMs) => say(() => failed(reason, retryAfterMs)),
    withdrawn: () => say(withdrawn),
  };
}

const WINDOW_PARTS = 10;
const PART_MS = WINDOW_MS / WINDOW_PARTS;

/** How calls ended of late, counted by parts of the window: memory does not grow with traffic. */
function createOutcomes(clock: Clock) {
  let parts: { readonly part: number; calls: number; failed: number }[] = [];
  let failuresInRow = 0;
  return {
    note(isSuccess: boolean) {
      const part = Math.floor(clock.nowMs() / PART_MS);
      let last = parts.at(-1);
      if (last?.part !== part) {
        last = { part, calls: 0, failed: 0 };
        parts = [...parts.filter((each) => each.part < part && part - each.part < WINDOW_PARTS), last];
      }
      last.calls += 1;
      last.failed += isSuccess ? 0 : 1;
      failuresInRow = isSuccess ? 0 : failuresInRow + 1;
    },
    /** As of the last note, which dropped what is older than the window. */
    areTooBad(): boolean {
      const calls = parts.reduce((sum, part) => sum + part.calls, 0);
      const failed = parts.reduce((sum, part) => sum + part.failed, 0);
      const isShareTooHigh = calls >= WINDOW_CALLS_MIN && failed > calls * FAILED_SHARE_MAX;
      return failuresInRow >= FAILURES_IN_ROW_MAX || isShareTooHigh;
    },
  };
}
