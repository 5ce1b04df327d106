import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { Failure } from "../../base/failure.ts";
import type { Session, Tensor } from "../runtime/session.ts";
import { fromOrt, inputsOf, mapValues, outputsOf, reasonOf, toOrt } from "./convert.ts";

export type SessionOptions = {
  /** Threads of one run. Side by side, sessions of one thread each do more work than one of several (reference: README). */
  readonly threads: number;
  readonly provider: "cpu" | "cuda";
};

/** ONNX Runtime's log levels: warnings of models are nobody's news, errors come as exceptions. */
const LOG_FATAL_ONLY = 4;
/** Threads that wait must not burn the core that another worker runs on. */
const SESSION_SETTINGS = { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } };

/** Loads a graph into ONNX Runtime. Its `run` blocks the event loop of the process for as long as it takes. Fails with `invalid_request` if it cannot be loaded. */
export async function openSession(path: string, options: SessionOptions): Promise<Session> {
  return sessionOf(await InferenceSession.create(path, ortOptions(options)).catch((cause: unknown) => refuseGraph(cause, path)));
}

/** The same for a graph in memory; `folder` holds the weights that it does not contain. */
export async function openGraph(graph: Uint8Array, folder: string, options: SessionOptions): Promise<Session> {
  const base = ortOptions(options);
  const settings = { ...base, extra: { session: { ...SESSION_SETTINGS, model_external_initializers_file_folder_path: folder } } };
  return sessionOf(await InferenceSession.create(graph, settings).catch((cause: unknown) => refuseGraph(cause, folder)));
}

function refuseGraph(cause: unknown, path: string): never {
  throw new Failure("invalid_request", `ONNX Runtime cannot load the graph: ${reasonOf(cause, path)}`, { cause });
}

function sessionOf(session: InferenceSession): Session {
  return {
    inputs: inputsOf(session),
    outputs: outputsOf(session),
    run: (feeds, fetches) => runOrt(session, feeds, fetches),
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
    extra: { session: SESSION_SETTINGS },
  };
}

async function runOrt(
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  fetches: Readonly<Record<string, Tensor | undefined>>,
) {
  try {
    const results = await session.run(
      mapValues(feeds, (tensor) => toOrt(OrtTensor, tensor)),
      mapValues(fetches, (tensor) => (tensor === undefined ? null : toOrt(OrtTensor, tensor))),
      // Warnings about shapes that a caller chose are said by the exception already.
      { logSeverityLevel: LOG_FATAL_ONLY },
    );
    return mapValues(fetches, (tensor, name) => tensor ?? fromOrt(results[name], name));
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure("engine_failed", `The model failed: ${reasonOf(cause, "")}`, { cause });
  }
}
