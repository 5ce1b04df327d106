import { extname } from "node:path";
import type { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import type { GenerationLimits } from "../../shared/inference/engine/open-generator.ts";
import type { Body, BodyEvents } from "../../shared/inference/engine/worker.ts";
import type { WorkerWord } from "../../shared/inference/engine/worker-protocol.ts";
import type { Log } from "../../shared/log/log.ts";
import { ownMemory } from "./transfer.ts";

/** What a thread is started with. */
export type ThreadOrder = GenerationLimits & {
  /** What its sessions together may take. */
  readonly sessionBytesMax: number;
  /** Beyond this it asks to be replaced, since WebAssembly gives no memory back; beyond the next it gets no more. */
  readonly spentBytesMin: number;
  readonly memoryBytesMax: number;
};

/** JavaScript's own memory of a thread: vocabularies, and answers on their way. */
const HEAP_MIB_MAX = 256;
const YOUNG_MIB_MAX = 16;
const SAID_CHARS_MAX = 2_000;

/** A body that is a thread with ONNX Runtime for WebAssembly, which can harm no memory but its own. It gets nothing of our environment. */
export function spawnThread(order: ThreadOrder, log: Log) {
  return function spawn({ word, ended }: BodyEvents): Body {
    // Beside this file, in the sources as in a bundle.
    const thread = new Worker(new URL(`./main.thread${extname(import.meta.url)}`, import.meta.url), {
      name: "weir-edge",
      workerData: order,
      env: {},
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX, maxYoungGenerationSizeMb: YOUNG_MIB_MAX },
    });
    let broken: Error | undefined;
    // The thread is this program's own and says nothing else.
    thread.on("message", (said) => word(said as WorkerWord));
    thread.on("error", (error) => {
      broken = error instanceof Error ? error : new Error(String(error));
    });
    thread.once("exit", (code) => ended(broken?.message ?? `exit code ${code}`));
    for (const stream of [thread.stdout, thread.stderr]) logLines(stream, log);
    return {
      send: (what) => {
        const { message, memory } = ownMemory(what);
        thread.postMessage(message, memory);
      },
      kill: () => void thread.terminate(),
    };
  };
}

/** What the runtime writes goes where operators read, and not between our own lines. */
function logLines(stream: Readable, log: Log) {
  stream.setEncoding("utf8").on("data", (said: string) => log("warn", "an edge thread wrote", { said: said.slice(0, SAID_CHARS_MAX) }));
}
