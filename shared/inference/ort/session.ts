import { InferenceSession, Tensor } from "onnxruntime-node";
import { Failure } from "../../base/failure.ts";
import type { Feed, Output, OutputShape, Session } from "../runtime/session.ts";

export type SessionOptions = {
  /** Threads of one run. Side by side, sessions of one thread each do more work than one of several (reference: README). */
  readonly threads: number;
  readonly provider: "cpu" | "cuda";
};

/** ONNX Runtime's log levels: warnings of models are nobody's news, errors come as exceptions. */
const LOG_FATAL_ONLY = 4;

/** Loads a graph into ONNX Runtime. Its `run` blocks the event loop of the process for as long as it takes. Fails with `invalid_request` if it cannot be loaded. */
export async function openSession(path: string, options: SessionOptions): Promise<Session> {
  const session = await InferenceSession.create(path, ortOptions(options)).catch((cause: unknown) => {
    throw new Failure("invalid_request", `ONNX Runtime cannot load the graph: ${reasonOf(cause, path)}`, { cause });
  });
  return {
    inputNames: session.inputNames,
    outputs: session.outputMetadata.filter((output) => output.isTensor).map(shapeOf),
    run: async (feeds, output) => outputOf(await runOrt(session, feeds, output), output),
    dispose: () => session.release(),
  };
}

/** The same for the function, for intake and for what the benchmarks compare with. */
export function ortOptions({ threads, provider }: SessionOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Lengths change with every batch: an arena would grow to the largest mix ever seen and never shrink, and a pattern would never fit twice.
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: LOG_FATAL_ONLY,
    // Threads that wait must not burn the core that another worker runs on.
    extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
  };
}

async function runOrt(session: InferenceSession, feeds: Readonly<Record<string, Feed>>, output: string) {
  const tensors = Object.entries(feeds).map(([name, { data, dims }]) => [name, new Tensor("int64", data, dims)] as const);
  try {
    return await session.run(Object.fromEntries(tensors), [output]);
  } catch (cause) {
    throw new Failure("engine_failed", `The model failed: ${reasonOf(cause, "")}`, { cause });
  }
}

function outputOf(results: InferenceSession.ReturnType, name: string): Output {
  const tensor = results[name];
  if (tensor === undefined || !(tensor.data instanceof Float32Array)) {
    throw new Failure("engine_failed", `The graph's output ${name} is ${tensor?.type ?? "missing"}, not float32.`);
  }
  return { data: tensor.data, dims: tensor.dims };
}

function shapeOf({ name, shape }: InferenceSession.TensorValueMetadata): OutputShape {
  return { name, dims: shape.map((dim) => (typeof dim === "number" && dim >= 0 ? dim : undefined)) };
}

/** ONNX Runtime's own words, without the place on this machine's disk. */
function reasonOf(cause: unknown, path: string): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return (path === "" ? message : message.replaceAll(path, "the graph")).split("\n")[0]?.slice(0, 500) ?? "";
}
