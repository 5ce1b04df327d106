import type { ElementType } from "../contract.ts";

/** The elements of a tensor; float16 as its 16 bits, bool as bytes of 0 and 1. */
export type Elements =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A tensor in this process's memory, row-major. */
export type Tensor = { readonly type: ElementType; readonly data: Elements; readonly dims: readonly number[] };

/** What a graph says of one of its inputs or outputs; a dimension that depends on the input is `undefined`. */
export type TensorShape = { readonly name: string; readonly type: ElementType; readonly dims: readonly (number | undefined)[] };

/** A loaded graph on some ONNX runtime, native or WASM: all that tasks and batches know of it. One `run` at a time. */
export type Session = {
  readonly inputs: readonly TensorShape[];
  readonly outputs: readonly TensorShape[];
  /**
   * Computes the outputs that `fetches` names; the others are not fetched. A tensor there is written into, so its size must be right: it may be the
   * very memory of a feed where the graph's operator works in place. Fails with `engine_failed`.
   */
  readonly run: (
    feeds: Readonly<Record<string, Tensor>>,
    fetches: Readonly<Record<string, Tensor | undefined>>,
  ) => Promise<Readonly<Record<string, Tensor>>>;
  readonly dispose: () => Promise<void>;
};
