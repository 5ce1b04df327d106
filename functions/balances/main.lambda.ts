import { systemClock } from "../../shared/base/clock.ts";
import { handlerOf } from "../../shared/schedule/lambda.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

/** Balances on Lambda: each event of the schedule runs rounds until nothing waits. */
export const handler = handlerOf(compose(readConfig()).round, systemClock);
