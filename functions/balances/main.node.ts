import { runRounds } from "../../shared/schedule/part.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

const ROUND_TIMEOUT_MS = 10 * 60_000;

/** Balances on one machine: a process with a timer. */
const config = readConfig();
runRounds(process, compose(config), { name: "balances", everySeconds: config.WEIR_EVERY_SECONDS, roundTimeoutMs: ROUND_TIMEOUT_MS });
