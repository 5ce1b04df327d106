import { systemClock } from "../../shared/base/clock.ts";
import { logJson } from "../../shared/log/log.ts";
import { runAsPart } from "../../shared/schedule/part.ts";
import { startTimer } from "../../shared/schedule/timer.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

const ROUND_TIMEOUT_MS = 5 * 60_000;

/** The caretaker on one machine: a process with a timer. */
const config = readConfig();
const { round, close } = await compose(config);
const everyMs = config.WEIR_EVERY_SECONDS * 1_000;
runAsPart(
  process,
  startTimer({ name: "caretaker", everyMs, roundTimeoutMs: ROUND_TIMEOUT_MS, round, clock: systemClock, log: logJson }),
  close,
);
