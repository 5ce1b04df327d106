import { extname } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { createHost } from "../../shared/inference/engine/host.ts";
import type { WorkerOrder, WorkerWord } from "../../shared/inference/engine/worker-protocol.ts";
import type { ProcessOrder } from "./worker-process.ts";

const GUARD_MS = 500;

// A run blocks its thread, and some never end: a second thread watches what the first one cannot.
if (isMainThread) await work(orderOf(process.argv[2] ?? ""));
else guard(orderOf(String(workerData)));

async function work(order: ProcessOrder) {
  new Worker(new URL(`./main.worker${extname(import.meta.url)}`, import.meta.url), { workerData: process.argv[2] }).unref();
  // Loaded here, because the guard needs none of it.
  const { openDecoderSession } = await import("../../shared/inference/ort/decoder-session.ts");
  const { openGenerator } = await import("../../shared/inference/engine/open-generator.ts");
  const host = createHost({
    openSession: (path) => openDecoderSession(path, order),
    openGenerator: (session, graph) => openGenerator(session, graph, order),
    sessionBytesMax: order.sessionBytesMax,
    heldBytes: () => process.memoryUsage.rss(),
    say,
  });
  process.on("disconnect", () => process.exit(0));
  // A terminal's Ctrl-C reaches the whole group; the parent drains first and ends its workers itself.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
  // The parent sends orders and nothing else.
  process.on("message", (said) => host.hear(said as WorkerOrder));
  say({ kind: "ready" });
}

/** Ends the process, from inside a run if need be, when its parent is gone or its memory is over the limit. */
function guard({ parentPid, rssBytesMax }: ProcessOrder) {
  setInterval(() => {
    if (process.ppid !== parentPid || process.memoryUsage.rss() > rssBytesMax) process.kill(process.pid, "SIGKILL");
  }, GUARD_MS);
}

function say(word: WorkerWord) {
  process.send?.(word);
}

function orderOf(json: string): ProcessOrder {
  // The pool that starts this process writes it.
  return JSON.parse(json) as ProcessOrder;
}
