import type { SessionOptions } from "../../shared/inference/ort/session.ts";
import type { ForwardSettings, Rows } from "../../shared/inference/runtime/forward.ts";
import type { EncodedInput } from "../../shared/inference/runtime/tokenize.ts";

/** What a worker is started with, as JSON on its command line. */
export type WorkerOrder = SessionOptions & {
  /** What its sessions together may take. */
  readonly sessionBytesMax: number;
  /** Beyond this the process ends itself: its models grow while they run. */
  readonly rssBytesMax: number;
  /** Without this process nobody needs it any more. */
  readonly parentPid: number;
};

/** A graph on disk, and how to run it. */
export type Graph = ForwardSettings & {
  /** Names it among this function's models. */
  readonly key: string;
  readonly path: string;
  /** Bytes of the graph and its weights on disk. */
  readonly weightBytes: number;
};

export type WorkerCall = { readonly graph: Graph; readonly inputs: readonly EncodedInput[] };

export type WorkerAnswer =
  | { readonly kind: "rows"; readonly rows: Rows; readonly runMs: number }
  /** `load`: the graph's files may be damaged; `memory`: it does not fit; `run`: it failed with these inputs. */
  | { readonly kind: "failed"; readonly stage: "load" | "memory" | "run"; readonly message: string };

/** What a worker says: that it is up, then one answer per call. */
export type WorkerWord = { readonly kind: "ready" } | WorkerAnswer;
