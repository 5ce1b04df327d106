import { connect, createServer } from "node:net";
import { join } from "node:path";

/** Starts Portkey as its image does, on a free port, and says the port once it answers. It runs in this very process: its CPU is what is measured. */
const [peers = ""] = process.argv.slice(2);
const port = await freePort();
process.argv.splice(2, process.argv.length, `--port=${port}`, "--headless");
await import(join(peers, "node_modules/@portkey-ai/gateway/build/start-server.js"));
await untilOpen(port);
process.send?.({ port });
process.on("disconnect", () => process.exit(0));

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

async function untilOpen(port: number) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await isOpen(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("Portkey did not open its port");
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
