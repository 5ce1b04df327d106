import * as z from "zod";
import { Failure, isFailureCode } from "../base/failure.ts";
import { Dtype } from "../models/version.ts";
import type { InferenceRequest, InferenceResult, TaskRequest, TaskResult } from "./contract.ts";

/** Limits of one call, checked again by the function: it trusts no caller. */
export const INPUTS_MAX = 2_048;
/** UTF-16 units of one text. */
export const TEXT_CHARS_MAX = 1024 ** 2;
export const TOKENS_PER_INPUT_MAX = 32_768;
export const TOKEN_ID_MAX = 2 ** 31 - 1;
export const DIMENSIONS_MAX = 65_536;
export const TIMEOUT_MS_MAX = 900_000;
/** Header that carries what is left of the caller's time, in milliseconds. */
export const TIMEOUT_HEADER = "weir-timeout-ms";
export const RESULT_TYPE = "application/octet-stream";

const Text = z.string().max(TEXT_CHARS_MAX);
const Inputs = z
  .array(
    z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("text"), text: Text, textPair: z.exactOptional(Text) }),
      z.object({ kind: z.literal("tokens"), tokenIds: z.array(z.int().min(0).max(TOKEN_ID_MAX)).min(1).max(TOKENS_PER_INPUT_MAX) }),
    ]),
  )
  .min(1)
  .max(INPUTS_MAX);
const Overlong = z.enum(["refuse", "cut"]);

const Task = z.discriminatedUnion("task", [
  z.object({
    task: z.literal("embed"),
    inputs: Inputs,
    overlong: Overlong,
    dimensions: z.exactOptional(z.int().min(1).max(DIMENSIONS_MAX)),
    normalize: z.exactOptional(z.boolean()),
  }),
  z.object({
    task: z.literal("classify"),
    inputs: Inputs,
    overlong: Overlong,
    function: z.exactOptional(z.enum(["softmax", "sigmoid", "none"])),
  }),
]) satisfies z.ZodType<TaskRequest>;

const Request = z.object({
  requestId: z.string().min(1).max(100),
  tenant: z.string().min(1).max(100),
  model: z.string().min(1).max(100),
  version: z.int().positive(),
  manifestDigest: z.string().regex(/^[0-9a-f]{64}$/),
  dtype: Dtype,
  body: Task,
}) satisfies z.ZodType<InferenceRequest>;

/** What precedes the numbers of an answer. */
const ResultHeader = z.object({
  task: z.enum(["embed", "classify"]),
  /** Elements of one row: of a vector, or one score per label. */
  width: z.int().min(1).max(DIMENSIONS_MAX),
  labels: z.array(z.string()).optional(),
  inputTokens: z.array(z.int().min(0)).min(1).max(INPUTS_MAX),
  queueMs: z.number().min(0),
  runMs: z.number().min(0),
});

const ErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional(), retryAfterMs: z.number().min(0).optional() }),
});

/** The event of the function behind the Lambda API, where no headers are. */
export const LambdaEvent = z.object({ timeoutMs: z.number().positive().max(TIMEOUT_MS_MAX), request: z.unknown() });
/** Its answer: the bytes of the HTTP answer in base64, because Lambda promises to carry JSON only. */
export const LambdaAnswer = z.object({ status: z.int(), body: z.base64() });
export type LambdaAnswer = z.infer<typeof LambdaAnswer>;

const LENGTH_BYTES = 4;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

export function encodeRequest(request: InferenceRequest): string {
  return JSON.stringify(request);
}

/** Reads a request at the function's door. Refuses with `invalid_request` and the field's name. */
export function decodeRequest(bytes: Uint8Array): InferenceRequest {
  return parseRequest(parseJson(bytes));
}

export function parseRequest(value: unknown): InferenceRequest {
  const parsed = Request.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = fieldOf(issue?.path ?? []);
  throw new Failure("invalid_request", `${field === "" ? "The request" : field}: ${issue?.message ?? "is not valid"}`, { field });
}

/** `uint32 header length (little-endian) · JSON header, padded to a multiple of 4 · float32 (little-endian) rows`. */
export function encodeResult(result: InferenceResult): Uint8Array<ArrayBuffer> {
  const { body, inputTokens, queueMs, runMs } = result;
  const rows = rowsOf(body);
  const header = {
    task: body.task,
    width: rows.width,
    inputTokens,
    queueMs,
    runMs,
    ...(body.task === "classify" && { labels: body.labels }),
  };
  const text = Buffer.from(JSON.stringify(header));
  // Padded with blanks, so that the numbers start where a Float32Array may.
  const headerBytes = Math.ceil(text.length / FLOAT_BYTES) * FLOAT_BYTES;
  const bytes = new Uint8Array(LENGTH_BYTES + headerBytes + rows.values.byteLength).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  new DataView(bytes.buffer).setUint32(0, headerBytes, true);
  bytes.set(text, LENGTH_BYTES);
  bytes.set(new Uint8Array(rows.values.buffer, rows.values.byteOffset, rows.values.byteLength), LENGTH_BYTES + headerBytes);
  return bytes;
}

/** Reads an answer to `request`, and believes nothing in it: what does not fit is `engine_failed`. */
export function decodeResult(bytes: Uint8Array, request: TaskRequest): InferenceResult {
  const { header, values } = splitResult(bytes);
  const { task, width, labels, inputTokens, queueMs, runMs } = header;
  const isWhole = inputTokens.length === request.inputs.length && values.length === inputTokens.length * width;
  if (task !== request.task || !isWhole) throw garbled("it does not fit the request");
  if (task === "embed") return { body: { task, vectors: values, dimensions: width }, inputTokens, queueMs, runMs };
  if (labels?.length !== width) throw garbled("its labels and scores differ in number");
  return { body: { task, labels, scores: values }, inputTokens, queueMs, runMs };
}

/** An error's body: `{"error":{"code","message","field"?,"retryAfterMs"?}}`. */
export function encodeFailure(failure: Failure): string {
  const { code, message, field, retryAfterMs } = failure;
  return JSON.stringify({ error: { code, message, field, retryAfterMs } });
}

/** Reads an error's body; whatever else came with that status becomes `unavailable`, `timeout` or `engine_failed`. */
export function decodeFailure(status: number, bytes: Uint8Array): Failure {
  const parsed = ErrorBody.safeParse(jsonOrUndefined(bytes));
  if (!parsed.success || !isFailureCode(parsed.data.error.code)) return failureOfStatus(status);
  const { code, message, field, retryAfterMs } = parsed.data.error;
  return new Failure(code, message, { ...(field !== undefined && { field }), ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

export function garbled(why: string, cause?: unknown): Failure {
  return new Failure("engine_failed", "The inference function's answer cannot be read.", { cause: cause ?? new Error(why) });
}

function rowsOf(body: TaskResult): { width: number; values: Float32Array } {
  if (body.task === "embed") return { width: body.dimensions, values: body.vectors };
  return { width: body.labels.length, values: body.scores };
}

function splitResult(bytes: Uint8Array) {
  if (bytes.byteLength < LENGTH_BYTES) throw garbled("it is too short for a header");
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const start = LENGTH_BYTES + headerBytes;
  if (start > bytes.byteLength || (bytes.byteLength - start) % FLOAT_BYTES !== 0) throw garbled("its length is wrong");
  const header = ResultHeader.safeParse(jsonOrUndefined(bytes.subarray(LENGTH_BYTES, start)));
  if (!header.success) throw garbled("its header is wrong", header.error);
  return { header: header.data, values: floatsOf(bytes.subarray(start)) };
}

/** Every machine that Weir runs on is little-endian, as the format is. Bytes that lie askew in a pooled buffer are copied first. */
function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % FLOAT_BYTES === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / FLOAT_BYTES);
}

function failureOfStatus(status: number): Failure {
  const detail = { cause: new Error(`the inference function answered ${status} without a reason`) };
  if (status === 503) return new Failure("unavailable", "The inference function cannot serve now.", detail);
  if (status === 504) return new Failure("timeout", "The inference function did not answer in time.", detail);
  return new Failure("engine_failed", "The inference function failed.", detail);
}

/** `body.inputs.3.text` is the caller's `input.3`. */
function fieldOf(path: readonly PropertyKey[]): string {
  const [first, second, ...rest] = path[0] === "body" ? path.slice(1) : path;
  if (first === "inputs" && second !== undefined) return `input.${String(second)}`;
  return [first === "inputs" ? "input" : first, second, ...rest].filter((part) => part !== undefined).join(".");
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Failure("invalid_request", "The body is not JSON in UTF-8.", { cause });
  }
}

function jsonOrUndefined(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined; // its schema refuses it
  }
}
