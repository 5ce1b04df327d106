import { runRounds } from "../../shared/schedule/part.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

const ROUND_TIMEOUT_MS = 5 * 60_000;

/** Deliveries on one machine: a process with a timer. */
const config = readConfig();
runRounds(process, await compose(config), { name: "webhooks", everySeconds: config.WEIR_EVERY_SECONDS, roundTimeoutMs: ROUND_TIMEOUT_MS });
