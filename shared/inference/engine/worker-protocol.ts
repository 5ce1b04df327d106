import type { FailureCode } from "../../base/failure.ts";
import type { GenerateEvent } from "../generation.ts";
import type { ForwardSettings } from "../runtime/forward.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import type { PlannedInput, Rows } from "../runtime/plan.ts";
import type { Tensor } from "../runtime/session.ts";

/** A graph on disk, and how to run it. */
export type Graph = ForwardSettings & {
  /** Names it among the models of this process. */
  readonly key: string;
  /** The version's folder, and the graph's file in it. */
  readonly folder: string;
  readonly path: string;
  /** Bytes of the graph and its weights on disk. */
  readonly weightBytes: number;
};

/** What a worker is asked, one at a time: rows for inputs, or the bare graph's outputs. */
export type WorkerCall =
  | { readonly kind: "run"; readonly graph: Graph; readonly inputs: readonly PlannedInput[] }
  | {
      readonly kind: "forward";
      readonly graph: Graph;
      readonly feeds: Readonly<Record<string, Tensor>>;
      readonly fetches: readonly string[];
    };

/** Whatever a worker is told. Generations go on beside calls, and each other, until they are done or cancelled. */
export type WorkerOrder =
  | WorkerCall
  | { readonly kind: "generate"; readonly graph: Graph; readonly order: GenerateOrder }
  | { readonly kind: "cancel"; readonly id: string };

export type WorkerAnswer =
  | { readonly kind: "rows"; readonly rows: readonly Rows[]; readonly runMs: number }
  | { readonly kind: "tensors"; readonly tensors: Readonly<Record<string, Tensor>>; readonly runMs: number }
  | WorkerRefusal;

/** `load`: the graph's files may be damaged; `memory`: it does not fit; `run`: it failed with these inputs; `caller`: they were wrong. */
export type WorkerRefusal = {
  readonly kind: "failed";
  readonly stage: "load" | "memory" | "run" | "caller";
  readonly code: FailureCode;
  readonly message: string;
  readonly field: string | undefined;
};

/** What a worker says: that it is up, whose model it turns to, one answer per call, what its generations come to, and that it is alive while they run. */
export type WorkerWord =
  | { readonly kind: "ready" }
  /** Said before the work, so that of many models the one is known that was at work when the worker died. */
  | { readonly kind: "at"; readonly key: string }
  | { readonly kind: "alive" }
  | { readonly kind: "answer"; readonly answer: WorkerAnswer }
  | { readonly kind: "generated"; readonly id: string; readonly event: GenerateEvent }
  | { readonly kind: "broken"; readonly id: string; readonly refusal: WorkerRefusal }
  /** It has grown beyond what it may keep, has nothing to do, and wants to be replaced. */
  | { readonly kind: "spent" };
