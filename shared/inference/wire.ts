import * as z from "zod";
import { Failure, isFailureCode } from "../base/failure.ts";
import { ELEMENT_TYPES, type InferenceResult, inputCountOf, type NamedTensor, type TaskRequest, type TaskResult } from "./contract.ts";
import { bytesPerElement, elementCountOf } from "./runtime/tensor-bytes.ts";
import { DIMENSIONS_MAX, INPUTS_MAX, TIMEOUT_MS_MAX } from "./wire-request.ts";

/** Header that carries what is left of the caller's time, in milliseconds. */
export const TIMEOUT_HEADER = "weir-timeout-ms";
export const RESULT_TYPE = "application/octet-stream";

const Score = z.number();
const Span = { start: z.int().min(0), end: z.int().min(0) };
const LabelScore = z.object({ label: z.string(), score: Score });
const lists = <T extends z.ZodType>(item: T) => z.array(z.array(item));

/** What is answered as JSON; numbers in rows follow the header as bytes. */
const JsonResult = z.discriminatedUnion("task", [
  z.object({
    task: z.literal("tag"),
    items: lists(z.object({ ...Span, label: z.string(), score: Score, word: z.string(), index: z.exactOptional(z.int()) })),
  }),
  z.object({ task: z.literal("answer"), items: lists(z.object({ ...Span, answer: z.string(), score: Score })) }),
  z.object({
    task: z.literal("fill"),
    items: z.array(lists(z.object({ score: Score, token: z.int(), tokenText: z.string(), sequence: z.string() }))),
  }),
  z.object({ task: z.literal("zero-shot"), items: lists(LabelScore) }),
  z.object({ task: z.literal("rerank"), scores: z.array(Score) }),
  z.object({ task: z.literal("detect"), items: lists(z.object({ ...Span, index: z.int(), token: z.string(), score: Score })) }),
  z.object({ task: z.literal("keywords"), items: lists(z.object({ keyword: z.string(), score: Score })) }),
  z.object({
    task: z.literal("summarize"),
    items: z.array(z.object({ summary: z.string(), sentences: z.array(z.object({ ...Span, score: Score })) })),
  }),
]);

const RowsResult = z.discriminatedUnion("task", [
  z.object({ task: z.literal("embed"), dimensions: z.int().min(1).max(DIMENSIONS_MAX) }),
  z.object({ task: z.literal("classify"), labels: z.array(z.string()).min(1).max(DIMENSIONS_MAX) }),
  z.object({
    task: z.literal("forward"),
    tensors: z.array(z.object({ name: z.string(), type: z.enum(ELEMENT_TYPES), shape: z.array(z.int().min(0)) })),
  }),
]);

const ResultHeader = z.object({
  body: z.discriminatedUnion("task", [...RowsResult.options, ...JsonResult.options]),
  inputTokens: z.array(z.int().min(0)).min(1).max(INPUTS_MAX),
  queueMs: z.number().min(0),
  runMs: z.number().min(0),
});
type ResultHeader = z.infer<typeof ResultHeader>;

const ErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional(), retryAfterMs: z.number().min(0).optional() }),
});

/** The event of the function behind the Lambda API, where no headers are. */
export const LambdaEvent = z.object({ timeoutMs: z.number().positive().max(TIMEOUT_MS_MAX), request: z.unknown() });
/** Its answer: the bytes of the HTTP answer in base64, because Lambda promises to carry JSON only. */
export const LambdaAnswer = z.object({ status: z.int(), body: z.base64() });
export type LambdaAnswer = z.infer<typeof LambdaAnswer>;

const LENGTH_BYTES = 4;
const ALIGNMENT_BYTES = 8;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** `uint32 header length (little-endian) · JSON header, padded so that numbers start at a multiple of 8 · their bytes (little-endian)`. */
export function encodeResult({ body, inputTokens, queueMs, runMs }: InferenceResult): Uint8Array<ArrayBuffer> {
  const { described, numbers } = partsOf(body);
  const text = Buffer.from(JSON.stringify({ body: described, inputTokens, queueMs, runMs }));
  // Padded with blanks, so that the numbers start where a typed array may.
  const startBytes = Math.ceil((LENGTH_BYTES + text.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const bytes = new Uint8Array(startBytes + numbers.reduce((sum, { byteLength }) => sum + byteLength, 0)).fill(0x20, 0, startBytes);
  new DataView(bytes.buffer).setUint32(0, startBytes - LENGTH_BYTES, true);
  bytes.set(text, LENGTH_BYTES);
  let at = startBytes;
  for (const part of numbers) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Reads an answer to `request`, and believes nothing in it: what does not fit is `engine_failed`. */
export function decodeResult(bytes: Uint8Array, request: TaskRequest): InferenceResult {
  const { header, rest } = splitResult(bytes);
  const { body, inputTokens, queueMs, runMs } = header;
  const count = inputCountOf(request);
  if (body.task !== request.task || inputTokens.length !== count) throw garbled("it does not fit the request");
  return { body: resultOf(body, rest, count), inputTokens, queueMs, runMs };
}

/** An error's body: `{"error":{"code","message","field"?,"retryAfterMs"?}}`. */
export function encodeFailure(failure: Failure): string {
  return JSON.stringify(failureBody(failure));
}

export function failureBody({ code, message, field, retryAfterMs }: Failure) {
  return { error: { code, message, field, retryAfterMs } };
}

/** Reads an error's body; whatever else came with that status becomes `unavailable`, `timeout` or `engine_failed`. */
export function decodeFailure(status: number, bytes: Uint8Array): Failure {
  return failureIn(jsonOrUndefined(bytes)) ?? failureOfStatus(status);
}

/** The failure that a JSON value is, if it is one. */
export function failureIn(value: unknown): Failure | undefined {
  const parsed = ErrorBody.safeParse(value);
  if (!parsed.success || !isFailureCode(parsed.data.error.code)) return undefined;
  const { code, message, field, retryAfterMs } = parsed.data.error;
  return new Failure(code, message, { ...(field !== undefined && { field }), ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

export function garbled(why: string, cause?: unknown): Failure {
  return new Failure("engine_failed", "The inference function's answer cannot be read.", { cause: cause ?? new Error(why) });
}

/** What a result's header says of it, and the numbers that follow. */
function partsOf(body: TaskResult): { readonly described: unknown; readonly numbers: readonly Uint8Array[] } {
  switch (body.task) {
    case "embed":
      return { described: { task: body.task, dimensions: body.dimensions }, numbers: [bytesOf(body.vectors)] };
    case "classify":
      return { described: { task: body.task, labels: body.labels }, numbers: [bytesOf(body.scores)] };
    case "forward": {
      const tensors = body.tensors.map(({ name, type, shape }) => ({ name, type, shape }));
      return { described: { task: body.task, tensors }, numbers: body.tensors.map(({ bytes }) => bytes) };
    }
    default:
      return { described: body, numbers: [] };
  }
}

function resultOf(body: ResultHeader["body"], rest: Uint8Array, count: number): TaskResult {
  switch (body.task) {
    case "embed":
      return { task: body.task, vectors: floatsOf(rest, count * body.dimensions), dimensions: body.dimensions };
    case "classify":
      return { task: body.task, labels: body.labels, scores: floatsOf(rest, count * body.labels.length) };
    case "forward":
      return { task: body.task, tensors: tensorsOf(body.tensors, rest) };
    case "rerank":
      if (body.scores.length !== count) throw garbled("it has another number of scores");
      return body;
    default:
      if (body.items.length !== count) throw garbled("it has another number of items");
      return body;
  }
}

function tensorsOf(described: readonly Omit<NamedTensor, "bytes">[], bytes: Uint8Array): NamedTensor[] {
  let at = 0;
  const tensors = described.map((tensor) => {
    const start = at;
    at += elementCountOf(tensor.shape) * bytesPerElement(tensor.type);
    return { ...tensor, bytes: bytes.subarray(start, at) };
  });
  if (at !== bytes.byteLength) throw garbled("its tensors have another number of bytes");
  return tensors;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

function splitResult(bytes: Uint8Array) {
  if (bytes.byteLength < LENGTH_BYTES) throw garbled("it is too short for a header");
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const start = LENGTH_BYTES + headerBytes;
  if (start > bytes.byteLength) throw garbled("its length is wrong");
  const header = ResultHeader.safeParse(jsonOrUndefined(bytes.subarray(LENGTH_BYTES, start)));
  if (!header.success) throw garbled("its header is wrong", header.error);
  return { header: header.data, rest: bytes.subarray(start) };
}

/** Every machine that Weir runs on is little-endian, as the format is. Bytes that lie askew in a pooled buffer are copied first. */
function floatsOf(bytes: Uint8Array, count: number): Float32Array {
  if (bytes.byteLength !== count * FLOAT_BYTES) throw garbled("its rows have another number of elements");
  const aligned = bytes.byteOffset % FLOAT_BYTES === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, count);
}

function failureOfStatus(status: number): Failure {
  const detail = { cause: new Error(`the inference function answered ${status} without a reason`) };
  if (status === 503) return new Failure("unavailable", "The inference function cannot serve now.", detail);
  if (status === 504) return new Failure("timeout", "The inference function did not answer in time.", detail);
  return new Failure("engine_failed", "The inference function failed.", detail);
}

export function jsonOrUndefined(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined; // its schema refuses it
  }
}
