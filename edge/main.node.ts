import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";
import { startServer } from "./server.ts";

/** The gateway on any machine with Node: listens on WEIR_HOST:WEIR_PORT, says so over IPC if a parent listens, and drains when told to end. */
const config = readConfig();
const server = await startServer(compose(config), { host: config.WEIR_HOST, port: config.WEIR_PORT });
process.send?.({ ready: true, port: server.port });

async function end() {
  await server.drain();
  process.exit(0);
}

process.on("SIGTERM", end);
process.on("SIGINT", end);
process.on("disconnect", end); // the parent is gone: nothing may outlive it
