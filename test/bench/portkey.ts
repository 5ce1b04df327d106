import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, isOpen } from "../harness/ports.ts";
import { type Part, stopProcess } from "./processes.ts";

const PEERS = fileURLToPath(new URL("./peers/node_modules", import.meta.url));
const OPEN_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

/** Starts Portkey as its container image does: its own server file, in production mode, on Node 20 unless another is given. */
export async function startPortkey(node = join(PEERS, ".bin/node")): Promise<Part> {
  if (!existsSync(PEERS)) throw new Error("install the peers first: npm ci --prefix test/bench/peers");
  const port = await freePort();
  const child = spawn(node, ["build/start-server.js", `--port=${port}`, "--headless"], {
    cwd: join(PEERS, "@portkey-ai/gateway"),
    env: { PATH: process.env["PATH"], NODE_ENV: "production" },
    stdio: "ignore",
  });
  await untilOpen(port, child);
  if (child.pid === undefined) throw new Error("Portkey did not start");
  return { port, pid: child.pid, stop: () => stopProcess(child) };
}

async function untilOpen(port: number, child: ChildProcess) {
  for (let waitedMs = 0; waitedMs < OPEN_TIMEOUT_MS; waitedMs += POLL_MS) {
    if (await isOpen(port)) return;
    if (child.exitCode !== null) throw new Error(`Portkey ended with ${child.exitCode} before it listened`);
    await sleep(POLL_MS);
  }
  throw new Error(`Portkey did not listen in ${OPEN_TIMEOUT_MS} ms`);
}
