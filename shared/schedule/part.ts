import { systemClock } from "../base/clock.ts";
import { logJson } from "../log/log.ts";
import type { Round } from "./round.ts";
import { startTimer } from "./timer.ts";

/** A timer's process listens nowhere; its supervisor wants a port of every part. */
const NO_PORT = 0;

/** What a function's `compose` makes: the same for a timer and for Lambda. */
export type Composed = { readonly round: Round; readonly close: () => Promise<void> | void };

export type PartSettings = {
  /** For the log, such as `sealer`. */
  readonly name: string;
  readonly everySeconds: number;
  /** A round is told to stop after this long. */
  readonly roundTimeoutMs: number;
};

/** A function of rounds as a part of the one-machine platform: a process with a timer, which says that it is ready, and stops when it is told to or its supervisor is gone. */
export function runRounds(self: NodeJS.Process, { round, close }: Composed, { name, everySeconds, roundTimeoutMs }: PartSettings): void {
  const timer = startTimer({ name, everyMs: everySeconds * 1_000, roundTimeoutMs, round, clock: systemClock, log: logJson });
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    await timer.stop();
    await close();
    self.exit(0);
  };
  self.once("SIGTERM", stop).once("SIGINT", stop).once("disconnect", stop);
  self.send?.({ ready: true, port: NO_PORT });
}
