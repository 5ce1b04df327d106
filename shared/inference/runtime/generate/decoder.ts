import { Failure } from "../../../base/failure.ts";
import type { ModelSettings } from "../model-files.ts";
import type { Elements, Session, TensorShape } from "../session.ts";

/** What config.json adds to what a graph says of itself. */
export type DecoderConfig = {
  /** Tokens of prompt and answer together. */
  readonly tokensMax: number;
  /** `num_key_value_heads`, else the attention heads: for graphs that leave them open. */
  readonly kvHeads?: number;
  /** `head_dim`, else the hidden size over the attention heads. */
  readonly headDim?: number;
  readonly vocabSize?: number;
};

/** The same from a model's files. */
export function decoderConfigOf({ contextTokensMax, tokensMax, decoder, vocabSize }: ModelSettings): DecoderConfig {
  return {
    tokensMax: contextTokensMax ?? tokensMax,
    ...(decoder !== undefined && { kvHeads: decoder.keyValueHeads, headDim: decoder.headDim }),
    ...(vocabSize !== undefined && { vocabSize }),
  };
}

export type CacheElements = Float32Array | Uint16Array;

/** One tensor of a cache: keys or values of a layer, `[batch, heads, tokens, width]`, or `[batch, tokens, width]` where all heads share one. */
export type CacheTensor = {
  readonly past: string;
  readonly present: string;
  readonly type: "float32" | "float16";
  readonly rank: 3 | 4;
  readonly heads: number;
  readonly width: number;
};

/** A decoder's graph, as its inputs and outputs describe it. */
export type Decoder = {
  readonly session: Session;
  readonly tokensMax: number;
  readonly vocabSize: number;
  readonly tensors: readonly CacheTensor[];
  /** Whether the graph also gives the new tokens of its cache alone, in outputs of their own. */
  readonly picks: boolean;
  /** Whether it computes logits only of the positions that it is told. */
  readonly keeps: boolean;
  /** The other inputs by name; a graph has some of them. */
  readonly others: ReadonlyMap<string, TensorShape>;
};

const PAST = "past_key_values.";
const PRESENT = "present.";
/** Where the new tokens stand in the presents, `[batch, heads, tokens, 3]`, and what their outputs' names begin with (`ort/decoder-session.ts`). */
export const PICKED_PLACES = "weir_places";
export const PICKED_PREFIX = "weir_";
/** Of which of the new tokens logits are wanted, `[positions]`, where the graph was made to ask (`kept-logits.ts`). */
export const KEPT_POSITIONS = "weir_kept";
const INTEGERS: readonly string[] = ["int64", "int32"];
/** Besides the cache; `token_type_ids` is no decoder's. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  input_ids: INTEGERS,
  attention_mask: INTEGERS,
  position_ids: INTEGERS,
  use_cache_branch: ["bool"],
  num_logits_to_keep: INTEGERS,
};

/** Reads a decoder off its session. Fails with `invalid_request`, saying what it cannot drive. */
export function readDecoder(session: Session, config: DecoderConfig): Decoder {
  const pasts = session.inputs.filter(({ name }) => name.startsWith(PAST));
  if (pasts.length === 0) throw undriven("it has no key/value cache (inputs named past_key_values.…)");
  const others = new Map(
    session.inputs
      .filter(({ name }) => !name.startsWith(PAST) && name !== PICKED_PLACES && name !== KEPT_POSITIONS)
      .map((input) => [input.name, checkOther(input)]),
  );
  if (!others.has("input_ids")) throw undriven("it has no input named input_ids");
  const tensors = pasts.map((past) => cacheTensorOf(past, session, config));
  const keeps = session.inputs.some(({ name }) => name === KEPT_POSITIONS);
  const vocabSize = vocabSizeOf(session, config);
  return { session, tokensMax: config.tokensMax, vocabSize, tensors, picks: picks(session, tensors), keeps, others };
}

/** Bytes that one token takes in the cache. */
export function bytesPerToken({ tensors }: Decoder): number {
  return tensors.reduce((sum, { heads, width, type }) => sum + heads * width * (type === "float32" ? 4 : 2), 0);
}

export function allocate({ type }: CacheTensor, elements: number): CacheElements {
  return type === "float32" ? new Float32Array(elements) : new Uint16Array(elements);
}

export function dimsOf({ rank, heads, width }: CacheTensor, rows: number, tokens: number): readonly number[] {
  return rank === 4 ? [rows, heads, tokens, width] : [rows, tokens, width];
}

export function isCacheElements(data: Elements): data is CacheElements {
  return data instanceof Float32Array || data instanceof Uint16Array;
}

/** One input of places serves all tensors, so they must be alike. */
function picks({ inputs, outputs }: Session, tensors: readonly CacheTensor[]): boolean {
  if (!inputs.some(({ name }) => name === PICKED_PLACES)) return false;
  const isAlike = tensors.every(
    ({ heads, rank, present }) => rank === 4 && heads === tensors[0]?.heads && outputs.some(({ name }) => name === PICKED_PREFIX + present),
  );
  if (!isAlike) throw undriven("its caches differ in their heads, and new tokens cannot be picked from all of them at once");
  return true;
}

function checkOther(input: TensorShape): TensorShape {
  const { name, type, dims } = input;
  if (OTHERS[name]?.includes(type) === true && dims.length <= 2) return input;
  throw undriven(`Weir does not feed its input ${name} of ${type} in ${dims.length} dimensions`);
}

function cacheTensorOf({ name, type, dims }: TensorShape, session: Session, config: DecoderConfig): CacheTensor {
  const present = PRESENT + name.slice(PAST.length);
  const output = session.outputs.find((each) => each.name === present);
  if (output === undefined || output.type !== type) throw undriven(`it has no output ${present} of ${type} for its input ${name}`);
  if (type !== "float32" && type !== "float16") throw undriven(`its cache ${name} is ${type}, not float32 or float16`);
  if (dims.length !== 4 && dims.length !== 3) throw undriven(`its cache ${name} has ${dims.length} dimensions`);
  const rank = dims.length === 4 ? 4 : 3;
  const heads = rank === 3 ? 1 : (dims[1] ?? config.kvHeads);
  const width = dims[rank - 1] ?? config.headDim;
  if (heads === undefined || width === undefined) throw undriven(`neither it nor config.json says how large its cache ${name} is`);
  return { past: name, present, type, rank, heads, width };
}

function vocabSizeOf({ outputs }: Session, { vocabSize }: DecoderConfig): number {
  const logits = outputs.find(({ name }) => name === "logits");
  if (logits === undefined || logits.dims.length !== 3) throw undriven("it has no output named logits of [batch, tokens, vocabulary]");
  if (logits.type !== "float32" && logits.type !== "float16") throw undriven(`its logits are ${logits.type}`);
  const size = logits.dims[2] ?? vocabSize;
  if (size === undefined) throw undriven("neither it nor config.json says how large its vocabulary is");
  return size;
}

function undriven(why: string): Failure {
  return new Failure("invalid_request", `The decoder's graph cannot be driven: ${why}.`, { field: "onnx/model.onnx" });
}
