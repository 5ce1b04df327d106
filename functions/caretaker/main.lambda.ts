import { systemClock } from "../../shared/base/clock.ts";
import { handlerOf } from "../../shared/schedule/lambda.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

const { round } = await compose(readConfig());

/** The caretaker on Lambda: each event of the schedule runs rounds until nothing waits. */
export const handler = handlerOf(round, systemClock);
