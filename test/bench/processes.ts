import { type ChildProcess, execFileSync, type ForkOptions, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

export type Part = { readonly port: number; readonly pid: number; readonly stop: () => Promise<void> };

/** Starts a module as a process of its own and waits until it says its port over IPC. */
export async function startPart(
  module: string,
  settings: { args?: string[]; env?: Record<string, string>; cwd?: string } = {},
): Promise<Part> {
  const options: ForkOptions = {
    env: { PATH: process.env["PATH"], ...settings.env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    ...(settings.cwd === undefined ? {} : { cwd: settings.cwd }),
  };
  const child = fork(module, settings.args ?? [], options);
  const port = await new Promise<number>((resolve, reject) => {
    child.on("message", (message: { port?: number }) => message.port !== undefined && resolve(message.port));
    child.once("exit", (code) => reject(new Error(`${module} ended with ${code} before it listened`)));
  });
  return { port, pid: pidOf(child), stop: () => stopProcess(child) };
}

/** CPU seconds, user and system, that a process has used so far: from Linux's /proc, elsewhere from ps (whole seconds). */
export function cpuSecondsOf(pid: number): number {
  if (process.platform !== "linux") return secondsOfPs(execFileSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" }));
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/** A process and its children, from ps. */
export function familyOf(pid: number): number[] {
  const pairs = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  return [pid, ...pairs.filter(([, parent]) => parent === pid).map(([child = 0]) => child)];
}

/** Keeps processes, with all their threads and what they start, on one core. False where the machine cannot: it has no second core, or no taskset. */
export function keepOnCore(core: number, pids: readonly number[]): boolean {
  if (availableParallelism() < 2) return false;
  try {
    for (const pid of pids) execFileSync("taskset", ["-a", "-p", "-c", String(core), String(pid)], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Linux reports /proc times in this unit on every architecture that Node supports. */
const CLOCK_TICKS_PER_SECOND = 100;

function secondsOfPs(time: string): number {
  return time
    .trim()
    .split(":")
    .reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the process did not start");
  return child.pid;
}

export function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
