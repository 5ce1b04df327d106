import { once } from "node:events";
import { logJson } from "../../shared/log/log.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";
import { createInferenceServer } from "./server.ts";

const config = readConfig();
const engine = await compose(config);
const server = createInferenceServer({ engine, log: logJson }).listen(config.PORT, config.WEIR_HOST);
await once(server, "listening");
process.once("SIGTERM", drain).once("SIGINT", drain).once("disconnect", drain);
await engine.untilReady;
const address = server.address();
process.send?.({ ready: true, port: typeof address === "object" ? address?.port : undefined });

/** Takes no more connections, lets what is in flight end, and goes. */
async function drain() {
  const isEmpty = once(server, "close");
  server.close();
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), config.WEIR_DRAIN_MS).unref();
  await isEmpty;
  await engine.close();
  process.exit(0);
}
