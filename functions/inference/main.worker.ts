import { extname } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Failure } from "../../shared/base/failure.ts";
import { forward } from "../../shared/inference/runtime/forward.ts";
import { createSessionCache, type SessionCache } from "./session-cache.ts";
import type { WorkerAnswer, WorkerCall, WorkerOrder, WorkerWord } from "./worker-protocol.ts";

const GUARD_MS = 500;

// A run blocks its thread, and some never end: a second thread watches what the first one cannot.
if (isMainThread) await work(orderOf(process.argv[2] ?? ""));
else guard(orderOf(String(workerData)));

async function work(order: WorkerOrder) {
  new Worker(new URL(`./main.worker${extname(import.meta.url)}`, import.meta.url), { workerData: process.argv[2] }).unref();
  // Loaded here, because the guard needs none of it.
  const { openSession } = await import("../../shared/inference/ort/session.ts");
  const sessions = createSessionCache({
    bytesMax: order.sessionBytesMax,
    open: (path) => openSession(path, order),
    rssBytes: () => process.memoryUsage.rss(),
  });
  process.on("disconnect", () => process.exit(0));
  // A terminal's Ctrl-C reaches the whole group; the parent drains first and ends its workers itself.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
  // The parent sends calls and nothing else, one at a time.
  process.on("message", (call) => void answer(sessions, call as WorkerCall).then(say));
  say({ kind: "ready" });
}

async function answer(sessions: SessionCache, { graph, inputs }: WorkerCall): Promise<WorkerAnswer> {
  let stage: "load" | "run" = "load";
  try {
    const session = await sessions.get(graph);
    stage = "run";
    const startedAtMs = performance.now();
    const rows = await forward(session, inputs, graph);
    return { kind: "rows", rows, runMs: performance.now() - startedAtMs };
  } catch (error) {
    const isTooLarge = error instanceof Failure && error.code === "unavailable";
    return { kind: "failed", stage: isTooLarge ? "memory" : stage, message: error instanceof Error ? error.message : String(error) };
  }
}

/** Ends the process, from inside a run if need be, when its parent is gone or its memory is over the limit. */
function guard({ parentPid, rssBytesMax }: WorkerOrder) {
  setInterval(() => {
    if (process.ppid !== parentPid || process.memoryUsage.rss() > rssBytesMax) process.kill(process.pid, "SIGKILL");
  }, GUARD_MS);
}

function say(word: WorkerWord) {
  process.send?.(word);
}

function orderOf(json: string): WorkerOrder {
  // The pool that starts this process writes it.
  return JSON.parse(json) as WorkerOrder;
}
