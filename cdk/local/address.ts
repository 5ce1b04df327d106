import { createServer } from "node:net";
import { StartRefusal, systemCodeOf } from "./refusal.ts";

/** Refuses an address that cannot be listened on, before anything is started for it. */
export async function refuseTakenAddress({ host, port }: { host: string; port: number }): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen({ host, port, exclusive: true }, resolve));
  } catch (cause) {
    throw new StartRefusal(`cannot listen on ${host}:${port}: ${troubleOf(cause, port)}`, { cause });
  }
  await new Promise((resolve) => server.close(resolve));
}

/** Where this machine reaches a gateway that listens on `host`, which may be every address it has. */
export function urlOfGateway({ host, port }: { host: string; port: number }): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

function troubleOf(error: unknown, port: number): string {
  switch (systemCodeOf(error)) {
    case "EADDRINUSE":
      return `the port is in use. Stop what uses it, or choose another: WEIR_PORT=${port + 1} npm start (0 is any free one)`;
    case "EACCES":
      return "ports below 1024 are the system's. Choose another with WEIR_PORT";
    default:
      return `this machine has no such address. Choose another with WEIR_HOST (${error instanceof Error ? error.message : error})`;
  }
}
