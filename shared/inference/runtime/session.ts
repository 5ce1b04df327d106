/** A tensor that goes into a graph: the encoders of the Hugging Face layout read integers of 64 bits only. */
export type Feed = { readonly data: BigInt64Array; readonly dims: readonly number[] };

/** A tensor that comes out of it, in row-major order. */
export type Output = { readonly data: Float32Array; readonly dims: readonly number[] };

/** What a graph says of one of its outputs; a dimension that depends on the input is `undefined`. */
export type OutputShape = { readonly name: string; readonly dims: readonly (number | undefined)[] };

/** A loaded graph on some ONNX runtime, native or WASM: all that tasks and batches know of it. One `run` at a time. */
export type Session = {
  readonly inputNames: readonly string[];
  readonly outputs: readonly OutputShape[];
  /** Computes one of the outputs; the others are not fetched. */
  readonly run: (feeds: Readonly<Record<string, Feed>>, output: string) => Promise<Output>;
  readonly dispose: () => Promise<void>;
};
