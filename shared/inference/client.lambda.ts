import type { LambdaClient } from "@aws-sdk/client-lambda";
import { Failure } from "../base/failure.ts";
import type { CallLimits, InferenceClient, InferenceRequest, InferenceResult } from "./contract.ts";
import { decodeFailure, decodeResult, garbled, LambdaAnswer } from "./wire.ts";

export type LambdaClientSettings = {
  readonly region: string;
  readonly functionName: string;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
};

/** The SDK repeats throttled and broken calls; running a model changes nothing. */
const ATTEMPTS_MAX = 2;
const CONNECT_TIMEOUT_MS = 2_000;
const RETRY_AFTER_MS = 1_000;

/** An inference function behind the Lambda API: one synchronous Invoke per call, with the bytes of the HTTP contract inside. */
export function createLambdaInferenceClient(settings: LambdaClientSettings): InferenceClient & { readonly close: () => Promise<void> } {
  let opened: Promise<Opened> | undefined;
  return {
    // Loaded with the first call, so that a gateway listens before it has read the SDK.
    run: async (request, limits) => {
      opened ??= open(settings);
      return run(await opened, request, limits);
    },
    close: async () => (await opened)?.client.destroy(),
  };
}

type Opened = { readonly client: LambdaClient; readonly invoke: (payload: string, signal: AbortSignal) => Promise<Invoked> };
type Invoked = { readonly functionError: string | undefined; readonly payload: Uint8Array };

async function open({ region, functionName, endpoint }: LambdaClientSettings): Promise<Opened> {
  const { LambdaClient, InvokeCommand } = await import("@aws-sdk/client-lambda");
  const client = new LambdaClient({
    region,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  return {
    client,
    invoke: async (payload, abortSignal) => {
      const answer = await client.send(new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(payload) }), { abortSignal });
      return { functionError: answer.FunctionError, payload: answer.Payload ?? new Uint8Array() };
    },
  };
}

async function run({ invoke }: Opened, request: InferenceRequest, { signal, timeoutMs }: CallLimits): Promise<InferenceResult> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const { status, bytes } = readAnswer(await invoke(JSON.stringify({ timeoutMs, request }), ended));
    if (status !== 200) throw decodeFailure(status, bytes);
    return decodeResult(bytes, request.body);
  } catch (cause) {
    if (signal.aborted) throw new Failure("cancelled", "The caller left.", { cause });
    if (ended.aborted) throw new Failure("timeout", "The model did not answer in time.", { cause, retryAfterMs: RETRY_AFTER_MS });
    throw cause instanceof Failure ? cause : failureOf(cause);
  }
}

function readAnswer({ functionError, payload }: Invoked): { status: number; bytes: Uint8Array } {
  // The function's process died or Lambda ended it: the payload is Lambda's report, not an answer.
  if (functionError !== undefined)
    throw new Failure("engine_failed", "The inference function broke off.", { cause: new Error(functionError) });
  const parsed = LambdaAnswer.safeParse(parseJson(payload));
  if (!parsed.success) throw garbled("it is no Lambda answer", parsed.error);
  return { status: parsed.data.status, bytes: Buffer.from(parsed.data.body, "base64") };
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch {
    return undefined; // its schema refuses it
  }
}

/** 429 is Lambda's own: no environment is free and none may be added. The rest of its API's troubles are ours to sit out. */
function failureOf(cause: unknown): Failure {
  const name = cause instanceof Error ? cause.name : "";
  if (name === "TooManyRequestsException") {
    return new Failure("overloaded", "The inference function has no free environment.", { cause, retryAfterMs: RETRY_AFTER_MS });
  }
  if (name === "RequestTooLargeException") return new Failure("too_large", "The request is larger than a function takes.", { cause });
  return new Failure("unavailable", "The inference function cannot be reached.", { cause, retryAfterMs: RETRY_AFTER_MS });
}
