import { fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { CoderWord } from "../runtime/coder-wire.ts";
import type { StartDoer } from "./coder-lane.ts";

// A bundle has these roots beside it under the same names.
const rootOf = (name: string) => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);

/** A thread with tokenizers (main.coder.ts): it shares memory with whoever asks, so that long texts' tokens need not be copied. */
export function startCoderThread(limits: { readonly tokenizersMax: number; readonly heapMibMax: number }): StartDoer {
  return ({ hear, lose }) => {
    const worker = new Worker(rootOf("main.coder"), {
      workerData: limits.tokenizersMax,
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMibMax },
    });
    worker.on("message", (word: CoderWord) => hear(word));
    worker.on("error", lose);
    worker.on("exit", () => lose());
    return {
      post: (call) => worker.postMessage(call),
      hold: (isHeld) => (isHeld ? worker.ref() : worker.unref()),
      end: () => worker.terminate(),
    };
  };
}

/**
 * A process for chat templates (main.template.ts). A thread would not do: when a template fills a thread's heap, V8 may end the whole process. It
 * knows nothing of this one's environment.
 */
export function startTemplateProcess({ heapMibMax }: { readonly heapMibMax: number }): StartDoer {
  return ({ hear, lose }) => {
    const child = fork(fileURLToPath(rootOf("main.template")), [], {
      execArgv: [`--max-old-space-size=${heapMibMax}`],
      env: {},
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    // The process sends words and nothing else.
    child.on("message", (word) => hear(word as CoderWord));
    child.on("error", lose);
    child.on("exit", () => lose());
    return {
      post: (call) => child.send(call, (error) => error && lose(error)),
      hold: (isHeld) => {
        if (isHeld) [child.ref(), child.channel?.ref()];
        else [child.unref(), child.channel?.unref()];
      },
      end: async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.ref(); // or this process may be over before the other one is
        child.kill("SIGKILL");
        await once(child, "exit");
      },
    };
  };
}
