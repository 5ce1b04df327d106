import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import type { Body, BodyEvents } from "../../shared/inference/engine/worker.ts";
import type { WorkerWord } from "../../shared/inference/engine/worker-protocol.ts";
import type { SessionOptions } from "../../shared/inference/ort/session.ts";

/** What a worker's process is started with, as JSON on its command line. */
export type ProcessOrder = SessionOptions & {
  /** What its sessions together may take, and the caches of its generations. */
  readonly sessionBytesMax: number;
  readonly cacheBytesMax: number;
  /** Beyond this the process ends itself: its models grow while they run. */
  readonly rssBytesMax: number;
  /** Choices that one step computes together. */
  readonly choicesMax: number;
  /** Without this process nobody needs it any more. */
  readonly parentPid: number;
};

/**
 * glibc would keep an arena for every thread that frees memory, and tensors of all sizes leave holes in each: with fill-mask a worker had grown from
 * 195 to 209 MiB after 30,000 runs, and went on. With one arena it stays at 195. Other C libraries do not know the variable.
 */
const MEMORY_ENVIRONMENT = { MALLOC_ARENA_MAX: "1" };

/** A body that is a process: native code may crash without harm to this one. `environment` is all that it gets of ours. */
export function spawnProcess(order: ProcessOrder, environment: Readonly<Record<string, string | undefined>>) {
  return function spawn({ word, ended }: BodyEvents): Body {
    // Beside this file, in the sources as in a bundle.
    const main = new URL(`./main.worker${extname(import.meta.url)}`, import.meta.url);
    const child: ChildProcess = fork(main, [JSON.stringify(order)], {
      // Structured clones: token ids and vectors cross as bytes.
      serialization: "advanced",
      execArgv: [],
      env: { ...MEMORY_ENVIRONMENT, ...environment },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    // The worker is this program's own and says nothing else.
    child.on("message", (said) => word(said as WorkerWord));
    // A process that never was has no end of its own.
    child.on("error", (error) => child.pid === undefined && ended(`its process could not start: ${error.message}`));
    child.once("close", (code, signal) => child.pid !== undefined && ended(signal ?? `exit code ${code}`));
    return {
      send: (what) => void (child.connected && child.send(what)),
      kill: () => void child.kill("SIGKILL"),
    };
  };
}
