import type { InvokeWithResponseStreamResponseEvent, LambdaClient } from "@aws-sdk/client-lambda";
import * as z from "zod";
import { Failure } from "../base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient, InferenceRequest, InferenceResult } from "./contract.ts";
import type { GenerateEvent } from "./generation.ts";
import { decodeFailure, decodeResult, garbled, jsonOrUndefined, LambdaAnswer } from "./wire.ts";
import { decodeEvents } from "./wire-events.ts";
import { encodeRequest } from "./wire-request.ts";

export type LambdaClientSettings = {
  readonly region: string;
  readonly functionName: string;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
};

/** Running a model changes nothing, so a call that broke before Lambda answered is sent once more. */
const ATTEMPTS_MAX = 2;
/** The SDK would also sit out throttling, for as long as Lambda says; a fallback may answer meanwhile, so that is left to whoever calls. */
const SDK_ATTEMPTS_MAX = 1;
const CONNECT_TIMEOUT_MS = 2_000;
const RETRY_AFTER_MS = 1_000;

/**
 * An inference function behind the Lambda API: one synchronous Invoke per call, with the bytes of the HTTP contract inside, and a streamed one for a
 * generation. An invocation cannot be cancelled: whoever leaves is no longer read from, and the function's deadline and token limit bound the waste.
 */
export function createLambdaInferenceClient(settings: LambdaClientSettings): InferenceClient & { readonly close: () => Promise<void> } {
  let opened: Promise<Opened> | undefined;
  // Loaded with the first call, so that a gateway listens before it has read the SDK.
  const ready = () => {
    opened ??= open(settings);
    return opened;
  };
  return {
    run: async (request, limits) => run(await ready(), request, limits),
    generate: (call, limits) => generate(ready, call, limits),
    close: async () => (await opened)?.client.destroy(),
  };
}

type Invoke<T> = (payload: string, signal: AbortSignal) => Promise<T>;
type Opened = { readonly client: LambdaClient; readonly invoke: Invoke<Invoked>; readonly stream: Invoke<AsyncIterable<Uint8Array>> };
type Invoked = { readonly functionError: string | undefined; readonly payload: Uint8Array };

async function open({ region, functionName, endpoint }: LambdaClientSettings): Promise<Opened> {
  const { LambdaClient, InvokeCommand, InvokeWithResponseStreamCommand } = await import("@aws-sdk/client-lambda");
  const client = new LambdaClient({
    region,
    maxAttempts: SDK_ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  return {
    client,
    invoke: async (payload, abortSignal) => {
      const command = new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(payload) });
      const answer = await sendTwice(() => client.send(command, { abortSignal }), abortSignal);
      return { functionError: answer.FunctionError, payload: answer.Payload ?? new Uint8Array() };
    },
    stream: async (payload, abortSignal) => {
      const command = new InvokeWithResponseStreamCommand({ FunctionName: functionName, Payload: Buffer.from(payload) });
      return chunksOf((await sendTwice(() => client.send(command, { abortSignal }), abortSignal)).EventStream ?? []);
    },
  };
}

async function sendTwice<T>(send: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (cause) {
      if (attempt === ATTEMPTS_MAX || signal.aborted || isAnswered(cause)) throw cause;
    }
  }
}

/** Whether Lambda refused the call; its own internal error (`ServiceException`) is no refusal. */
function isAnswered(cause: unknown): boolean {
  const { $metadata, name } = AnsweredError.safeParse(cause).data ?? {};
  return $metadata !== undefined && name !== "ServiceException";
}

const AnsweredError = z.looseObject({ name: z.string(), $metadata: z.looseObject({ httpStatusCode: z.int() }) });

async function* chunksOf(
  events: AsyncIterable<InvokeWithResponseStreamResponseEvent> | readonly never[],
): AsyncGenerator<Uint8Array, void> {
  for await (const { PayloadChunk, InvokeComplete } of events) {
    if (PayloadChunk?.Payload !== undefined) yield PayloadChunk.Payload;
    if (InvokeComplete?.ErrorCode !== undefined) throw brokenOff(InvokeComplete.ErrorDetails ?? InvokeComplete.ErrorCode);
  }
}

async function run({ invoke }: Opened, request: InferenceRequest, limits: CallLimits): Promise<InferenceResult> {
  const ended = endOf(limits);
  try {
    const { status, bytes } = readAnswer(await invoke(eventOf(request, limits), ended));
    if (status !== 200) throw decodeFailure(status, bytes);
    return decodeResult(bytes, request.body);
  } catch (cause) {
    throw failureIn({ ...limits, ended }, cause);
  }
}

/** The function says refusals in the stream too, for its status is Lambda's. */
async function* generate(ready: () => Promise<Opened>, call: GenerationCall, limits: CallLimits): AsyncGenerator<GenerateEvent, void> {
  const leaving = new AbortController();
  const ended = AbortSignal.any([endOf(limits), leaving.signal]);
  try {
    const { stream } = await ready();
    yield* decodeEvents(await stream(eventOf(call, limits), ended));
  } catch (cause) {
    throw failureIn({ ...limits, ended }, cause);
  } finally {
    leaving.abort();
  }
}

const endOf = ({ signal, timeoutMs }: CallLimits) => AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);

function eventOf(request: InferenceRequest | GenerationCall, { timeoutMs }: CallLimits): string {
  return `{"timeoutMs":${timeoutMs},"request":${encodeRequest(request)}}`;
}

function failureIn({ signal, ended }: CallLimits & { ended: AbortSignal }, cause: unknown): Failure {
  if (signal.aborted) return new Failure("cancelled", "The caller left.", { cause });
  if (ended.aborted) return new Failure("timeout", "The model did not answer in time.", { cause, retryAfterMs: RETRY_AFTER_MS });
  return cause instanceof Failure ? cause : failureOf(cause);
}

function readAnswer({ functionError, payload }: Invoked): { status: number; bytes: Uint8Array } {
  // The function's process died or Lambda ended it: the payload is Lambda's report, not an answer.
  if (functionError !== undefined) throw brokenOff(functionError);
  const parsed = LambdaAnswer.safeParse(jsonOrUndefined(payload));
  if (!parsed.success) throw garbled("it is no Lambda answer", parsed.error);
  return { status: parsed.data.status, bytes: Buffer.from(parsed.data.body, "base64") };
}

function brokenOff(how: string): Failure {
  return new Failure("engine_failed", "The inference function broke off.", { cause: new Error(how) });
}

/** What Lambda says of a function whose environments are being made, and which is there after a while (API reference, Invoke). */
const WAKING = new Set([
  "ResourceNotReadyException",
  "ResourceConflictException",
  "EC2ThrottledException",
  "ENINotReadyException",
  "SnapStartNotReadyException",
]);
const WAKING_RETRY_AFTER_MS = 5_000;

/**
 * 429 is Lambda's own: no environment is free and none may be added; functions on managed instances say it too while they scale up. The rest of its API's
 * troubles are ours to sit out.
 */
function failureOf(cause: unknown): Failure {
  const name = cause instanceof Error ? cause.name : "";
  if (name === "TooManyRequestsException") {
    const retryAfterMs = toldRetryMs(cause) ?? RETRY_AFTER_MS;
    return new Failure("overloaded", "The inference function has no free environment.", { cause, retryAfterMs });
  }
  if (name === "RequestTooLargeException") return new Failure("too_large", "The request is larger than a function takes.", { cause });
  if (WAKING.has(name))
    return new Failure("unavailable", "The inference function is waking.", { cause, retryAfterMs: WAKING_RETRY_AFTER_MS });
  return new Failure("unavailable", "The inference function cannot be reached.", { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** The SDK hands over the header `Retry-After` as it came. */
function toldRetryMs(cause: unknown): number | undefined {
  const told = cause instanceof Error && "retryAfterSeconds" in cause ? Number(cause.retryAfterSeconds) : Number.NaN;
  return told > 0 && told <= RETRY_AFTER_SECONDS_MAX ? told * 1000 : undefined;
}

const RETRY_AFTER_SECONDS_MAX = 600;
