import { parentPort, workerData } from "node:worker_threads";
import { createHost } from "../../shared/inference/engine/host.ts";
import type { WorkerOrder, WorkerWord } from "../../shared/inference/engine/worker-protocol.ts";
import { openPickedSession } from "../../shared/inference/runtime/generate/picked-session.ts";
import { watchWasmMemory } from "./memory.ts";
import type { ThreadOrder } from "./thread-body.ts";
import { memoryOf } from "./transfer.ts";

// The root of an edge thread: models in WebAssembly, apart from the gateway's event loop.
const port = parentPort;
if (port === null) throw new Error("this is the root of a thread");
const order = workerData as ThreadOrder; // the pool that starts this thread writes it
const memory = watchWasmMemory(order.memoryBytesMax);
// Only now: the runtime keeps the constructor of memories that it finds.
const { loadWasmRuntime, openWasmGraph, openWasmSession } = await import("./session.ts");
await loadWasmRuntime();

const say = (word: WorkerWord) => port.postMessage(word, memoryOf(word));
const host = createHost({
  openSession: (path) => openPickedSession({ openFile: openWasmSession, openGraph: openWasmGraph }, path),
  // Most small models generate nothing, and grammars take memory.
  openGenerator: async (session, graph) =>
    (await import("../../shared/inference/engine/open-generator.ts")).openGenerator(session, graph, order),
  sessionBytesMax: order.sessionBytesMax,
  spentBytesMin: order.spentBytesMin,
  heldBytes: memory.heldBytes,
  say,
});
// The pool sends orders and nothing else.
port.on("message", (said) => host.hear(said as WorkerOrder));
say({ kind: "ready" });
