import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { KeyFile } from "../../cdk/local/first-keys.ts";
import { Parts } from "../../cdk/local/parts-file.ts";

export type PartName =
  | "dynamo"
  | "s3"
  | "inference"
  | "intake"
  | "sealer"
  | "invoicing"
  | "webhooks"
  | "balances"
  | "caretaker"
  | "gateway";

/** The whole of Weir on one machine, started as `npm start` does, on any free port. */
export type TestPlatform = {
  readonly url: string;
  readonly demoKey: string;
  readonly operatorKey: string;
  readonly stateDir: string;
  /** The supervisor's process. */
  readonly pid: number;
  /** What it has printed so far, on both outputs. */
  readonly printed: () => string;
  readonly pidOf: (part: PartName) => Promise<number>;
  /** Ends a part as `kill -9` does; resolves when another process of it listens. */
  readonly kill: (part: PartName) => Promise<void>;
  /** Ends everything with a signal (SIGTERM unless said); resolves with the exit code, undefined after SIGKILL. The state stays. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | undefined>;
  /** Stops it if it runs, and removes the state. */
  readonly remove: () => Promise<void>;
};

export type PlatformOptions = {
  /** The state to start from; absent, a new one in a temporary folder. */
  readonly stateDir?: string;
  readonly environment?: Readonly<Record<string, string>>;
};

const START_TIMEOUT_MS = 100_000;
const RESTART_TIMEOUT_MS = 30_000;
const POLL_MS = 20;

export async function startPlatform({ stateDir, environment }: PlatformOptions = {}): Promise<TestPlatform> {
  const dir = stateDir ?? (await mkdtemp(join(tmpdir(), "weir-platform-")));
  const { child, printed } = startSupervisor({ WEIR_STATE_DIR: dir, WEIR_PORT: "0", ...environment });
  await untilReady(child, printed);
  const [operator, demo] = await Promise.all([keyIn(dir, "operator.json"), keyIn(dir, "demo.json")]);
  return {
    url: operator.url,
    operatorKey: operator.key,
    demoKey: demo.key,
    stateDir: dir,
    pid: child.pid ?? 0,
    printed,
    pidOf: (part) => pidOf(dir, part),
    kill: (part) => killPart(dir, part),
    stop: (signal) => stop(child, signal),
    remove: async () => {
      await stop(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function startSupervisor(environment: Record<string, string>) {
  const main = fileURLToPath(new URL("../../cdk/local/main.ts", import.meta.url));
  const child = fork(main, [], { env: environment, execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  let text = "";
  for (const output of [child.stdout, child.stderr]) output?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { child, printed: () => text };
}

/** The supervisor says over IPC that all is ready, as its parts do to it. */
async function untilReady(child: ChildProcess, printed: () => string) {
  const signal = AbortSignal.timeout(START_TIMEOUT_MS);
  const ended = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`the platform ended with code ${code}:\n${printed()}`);
  });
  await Promise.race([once(child, "message", { signal }), ended]).catch(async (error) => {
    await stop(child, "SIGKILL");
    throw signal.aborted ? new Error(`the platform was not ready in ${START_TIMEOUT_MS} ms:\n${printed()}`) : error;
  });
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<number | undefined> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
  return child.exitCode ?? undefined;
}

async function killPart(dir: string, name: PartName) {
  const pid = await pidOf(dir, name);
  process.kill(pid, "SIGKILL");
  for (let waitedMs = 0; waitedMs < RESTART_TIMEOUT_MS; waitedMs += POLL_MS) {
    const part = (await partsIn(dir))[name];
    if (part !== undefined && part.pid !== pid && part.port !== undefined) return;
    await sleep(POLL_MS);
  }
  throw new Error(`${name} was not started again in ${RESTART_TIMEOUT_MS} ms`);
}

async function pidOf(dir: string, name: PartName): Promise<number> {
  const part = (await partsIn(dir))[name];
  if (part === undefined) throw new Error(`${name} has no process`);
  return part.pid;
}

async function partsIn(dir: string): Promise<Parts> {
  return Parts.parse(JSON.parse(await readFile(join(dir, "parts.json"), "utf8")));
}

async function keyIn(dir: string, name: string): Promise<KeyFile> {
  return KeyFile.parse(JSON.parse(await readFile(join(dir, name), "utf8")));
}
