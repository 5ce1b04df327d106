import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { createApp } from "./app.ts";
import type { Composition } from "./compose.ts";
import { BODY_TIMEOUT_MS, DRAIN_TIMEOUT_MS, HEADERS_TIMEOUT_MS, IDLE_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS } from "./limits.ts";

const HEADER_BYTES_MAX = 16 * 1024;
const TIMEOUTS_CHECK_MS = 2_000;
const SWEEP_MS = 50;

export type RunningServer = {
  readonly port: number;
  /** Takes no new connections, lets answers in flight finish and their rows be written, then ends. Safe to call twice. */
  readonly drain: () => Promise<void>;
};

/** Serves the gateway on a plain Node HTTP server: on one machine, and in a Lambda Web Function. */
export async function startServer(composition: Composition, address: { host: string; port: number }): Promise<RunningServer> {
  const server = createAdaptorServer({
    fetch: createApp(composition.deps).fetch,
    serverOptions: { maxHeaderSize: HEADER_BYTES_MAX, connectionsCheckingInterval: TIMEOUTS_CHECK_MS },
  }) as Server; // plain HTTP/1.1 unless asked otherwise
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = BODY_TIMEOUT_MS;
  server.timeout = IDLE_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  await listen(server, address);
  let draining: Promise<void> | undefined;
  return {
    port: portOf(server),
    drain: () => (draining ??= drain(server, composition)),
  };
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function drain(server: Server, composition: Composition) {
  const closed = new Promise((resolve) => server.close(resolve));
  // Connections fall idle one by one, as their answers end; clients would keep them for as long as they may.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const cutOff = setTimeout(() => server.closeAllConnections(), DRAIN_TIMEOUT_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(cutOff);
  await composition.close();
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gateway listens on no port");
  return address.port;
}
