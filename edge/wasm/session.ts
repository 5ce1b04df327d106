import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-web/wasm";
import { Failure } from "../../shared/base/failure.ts";
import { fromOrt, inputsOf, mapValues, outputsOf, reasonOf, toOrt } from "../../shared/inference/ort/convert.ts";
import type { Elements, Session, Tensor } from "../../shared/inference/runtime/session.ts";
import { externalLocationsOf } from "../../shared/models/onnx-external-data.ts";

/** ONNX Runtime's log levels: warnings of models are nobody's news, errors come as exceptions. */
const LOG_FATAL_ONLY = 4;
/** Of the runtime's builds the plain one: no WebGPU, half the size. */
const WASM_FILE = "ort-wasm-simd-threaded.wasm";

/**
 * Compiles ONNX Runtime for this thread, so that the first session does not wait for it; its `run` blocks the thread's event loop for as long as it
 * takes. It has one thread: workers beside each other do more work than one run on several.
 */
export async function loadWasmRuntime(): Promise<void> {
  env.logLevel = "fatal";
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = await readFile(wasmFile());
  // Nothing initialises the runtime but a session, be it one that is refused.
  await InferenceSession.create(new Uint8Array(1), wasmOptions()).then(
    (session) => session.release(),
    () => {},
  );
  // It is compiled; the 14 MB that it was compiled from are not needed again.
  Reflect.deleteProperty(env.wasm, "wasmBinary");
}

/** Loads a graph with the weights beside it. Fails with `invalid_request` if it cannot be loaded, and with `unavailable` if there is no memory for it. */
export async function openWasmSession(path: string): Promise<Session> {
  return openWasmGraph(await readFile(path), dirname(path));
}

/** The same for a graph in memory; `folder` holds the weights that it does not contain. */
export async function openWasmGraph(graph: Uint8Array, folder: string): Promise<Session> {
  const externalData = await readExternalData(folder, graph);
  const session = await InferenceSession.create(graph, { ...wasmOptions(), externalData }).catch((cause: unknown) => {
    endAfterTrap(cause);
    if (isOutOfMemory(cause)) throw new Failure("unavailable", "The model does not fit into the memory of an edge thread.", { cause });
    throw new Failure("invalid_request", `ONNX Runtime cannot load the graph: ${reasonOf(cause, folder)}`, { cause });
  });
  return {
    inputs: inputsOf(session),
    outputs: outputsOf(session),
    run: (feeds, fetches) => run(session, feeds, fetches),
    dispose: () => session.release(),
  };
}

/** The same for the tier and for what the benchmark compares with. */
export function wasmOptions(): InferenceSession.SessionOptions {
  return {
    executionProviders: ["wasm"],
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: LOG_FATAL_ONLY,
  };
}

/** In a bundle it lies beside; in the sources it is the package's. */
function wasmFile(): URL {
  return new URL(WASM_FILE, import.meta.url.endsWith(".ts") ? import.meta.resolve("onnxruntime-web/wasm") : import.meta.url);
}

/** The runtime has no disk, so it is given what the graph would read. Intake has checked that it lies in the version's folder. */
async function readExternalData(folder: string, graph: Uint8Array) {
  const locations = await externalLocationsOf(async (offset, length) => graph.subarray(offset, offset + length), graph.length);
  return Promise.all(locations.map(async (location) => ({ path: location, data: await readFile(join(folder, location)) })));
}

async function run(
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  fetches: Readonly<Record<string, Tensor | undefined>>,
) {
  try {
    const results = await session.run(
      mapValues(feeds, (tensor) => toOrt(OrtTensor, tensor)),
      // This build leaves tensors that it is given untouched: they are filled here.
      mapValues(fetches, () => null),
      { logSeverityLevel: LOG_FATAL_ONLY },
    );
    return mapValues(fetches, (wanted, name) => into(wanted, fromOrt(results[name], name), name));
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    endAfterTrap(cause);
    if (isOutOfMemory(cause)) throw new Failure("overloaded", "The run takes more memory than an edge thread has left.", { cause });
    throw new Failure("engine_failed", `The model failed: ${reasonOf(cause, "")}`, { cause });
  }
}

/** After a trap the runtime's memory may hold anything: the thread ends of it, and another takes its place. */
function endAfterTrap(cause: unknown): void {
  if (!(cause instanceof Error) || cause.name !== "RuntimeError") return;
  queueMicrotask(() => {
    throw cause;
  });
}

/** In the words of C++ and of the runtime's own JavaScript. */
const isOutOfMemory = (cause: unknown) => cause instanceof Error && /bad_alloc|failed to allocate/i.test(cause.message);

function into(wanted: Tensor | undefined, computed: Tensor, name: string): Tensor {
  if (wanted === undefined) return computed;
  if (wanted.type !== computed.type || wanted.data.length !== computed.data.length)
    throw new Failure(
      "engine_failed",
      `The graph's output ${name} is ${computed.type}[${computed.dims}], not ${wanted.type}[${wanted.dims}].`,
    );
  bytesOf(wanted.data).set(bytesOf(computed.data));
  return wanted;
}

function bytesOf({ buffer, byteOffset, byteLength }: Elements): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
