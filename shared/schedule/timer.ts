import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../log/log.ts";
import { type Round, timeOf } from "./round.ts";

/** Between rounds that follow each other because more waits: others of this machine get their turn. */
const CATCH_UP_PAUSE_MS = 50;

export type TimerSettings = {
  /** For the log, such as `sealer`. */
  readonly name: string;
  readonly everyMs: number;
  /** A round is told to stop after this long, so that one which hangs does not end all rounds. */
  readonly roundTimeoutMs: number;
  readonly round: Round;
  readonly clock: Clock;
  readonly log: Log;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
};

export type Timer = {
  /** Lets the round that runs finish what it has in hand, and begins no other. */
  readonly stop: () => Promise<void>;
};

/** Runs rounds one after the other: at once, then each `everyMs` after the end of the one before, sooner while more waits. A round that fails is followed by the next. */
export function startTimer(settings: TimerSettings): Timer {
  const stopping = new AbortController();
  const life = live(settings, stopping.signal);
  return {
    stop: () => {
      stopping.abort();
      return life;
    },
  };
}

async function live(settings: TimerSettings, stopping: AbortSignal): Promise<void> {
  const wait = settings.wait ?? ((ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }));
  while (!stopping.aborted) {
    const { hasMore } = await runRound(settings, stopping);
    await wait(hasMore ? CATCH_UP_PAUSE_MS : settings.everyMs, stopping).catch(() => undefined);
  }
}

async function runRound(settings: TimerSettings, stopping: AbortSignal): Promise<{ hasMore: boolean }> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(settings.roundTimeoutMs)]);
  try {
    return await settings.round({ ...timeOf(settings.clock), signal });
  } catch (error) {
    settings.log("warn", `a round of the ${settings.name} failed`, { error });
    return { hasMore: false };
  }
}
