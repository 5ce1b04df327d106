import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { logJson } from "../../shared/log/log.ts";
import { createCheckQueue } from "./check-queue.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";
import { createIntakeServer } from "./server.ts";

const TIDY_EVERY_MS = 3_600_000;
const RETRY_WAITS_MS = [1_000, 5_000, 20_000];

const config = readConfig();
await mkdir(config.WEIR_WORK_DIR, { recursive: true });
const { check, tidy, close } = compose(config);
const queue = createCheckQueue({
  check,
  atOnceMax: config.WEIR_CHECKS_AT_ONCE,
  waitingMax: config.WEIR_CHECKS_WAITING_MAX,
  retryWaitsMs: RETRY_WAITS_MS,
  log: logJson,
});
const server = createIntakeServer(queue).listen(config.PORT, config.WEIR_HOST);
await once(server, "listening");
const address = server.address();
process.send?.({ ready: true, port: typeof address === "object" ? address?.port : undefined });

const rounds = setInterval(tidyUp, TIDY_EVERY_MS);
process.once("SIGTERM", stop).once("SIGINT", stop).once("disconnect", stop);
await tidyUp();

/** Takes up what crashes have left behind. A round that fails is followed by the next one. */
async function tidyUp() {
  try {
    const { unfinished, uploadsRemoved } = await tidy();
    for (const job of unfinished) queue.add(job);
    if (uploadsRemoved > 0) logJson("info", "abandoned uploads were removed", { uploadsRemoved });
  } catch (error) {
    logJson("warn", "a round of tidying failed", { error });
  }
}

async function stop() {
  clearInterval(rounds);
  server.close();
  server.closeIdleConnections();
  await queue.stop();
  server.closeAllConnections();
  close();
  process.exit(0);
}
