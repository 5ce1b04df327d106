import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { wasmOptions } from "../../../edge/wasm/session.ts";
import { type BareOrder, runBare } from "./bare-loop.ts";

// A thread with the options of the edge tier's.
env.wasm.numThreads = 1;
const session = await InferenceSession.create(await readFile(String(workerData)), wasmOptions());
// The benchmark sends orders and nothing else.
parentPort?.on(
  "message",
  (order) => void runBare({ session, Tensor }, order as BareOrder).then((result) => parentPort?.postMessage(result)),
);
parentPort?.postMessage({ ready: true });
