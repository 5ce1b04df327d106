import { Failure } from "../../shared/base/failure.ts";
import type { UpstreamVersion } from "../../shared/models/version.ts";
import type { Deps } from "../deps.ts";
import { renderOpenaiFailure } from "../dialects/openai/failure.ts";
import type { Sizes } from "./admit.ts";
import { type EngineUsage, engineUsageOf } from "./engine-usage.ts";
import { type Meter, type Reached, underMeter } from "./metering.ts";
import { STREAM_HEADERS, servedHeaders } from "./rendered.ts";
import { type Call, generationLeftMs, remainingMs, type Served, silently } from "./serve.ts";
import { toldFailure } from "./told-failure.ts";
import { upstreamFailure } from "./upstream-client.ts";
import { meterEventStream, type StreamPlan } from "./upstream-stream.ts";

/** A request for a foreign engine, with the model's name as the engine knows it. */
export type ProxyPlan = {
  readonly version: UpstreamVersion;
  readonly arm: string;
  readonly path: string;
  readonly body: Uint8Array;
  readonly sizes: Sizes;
  /** Absent, a whole answer was asked for. */
  readonly stream?: Streamed | undefined;
};

type Streamed = Pick<StreamPlan, "tokens" | "shownUsage">;
/** Of an engine that streams although it was not asked to. */
const UNASKED: Streamed = {
  tokens: { inputTokensEstimate: 0, choices: 1, choicesPerPrompt: 1, isToldThroughout: false },
  shownUsage: "as it comes",
};

export type ProxyAnswer = {
  readonly status: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array>;
};

/** Passes a request to a foreign engine and its answer back: a whole one after it is metered, a stream with its last event held until then. */
export function proxy(deps: Deps, call: Call, plan: ProxyPlan): Promise<ProxyAnswer> {
  const { version, arm, sizes, stream } = plan;
  return underMeter(deps, call, {
    ...{ target: { version, arm }, sizes: () => sizes, isStreamed: stream !== undefined },
    work: (meter) => pass(deps, call, { ...plan, meter }),
  });
}

async function pass(deps: Deps, call: Call, { meter, sizes, ...plan }: ProxyPlan & { readonly meter: Meter }): Promise<ProxyAnswer> {
  const startedAtMs = deps.clock.nowMs();
  const { model, number, upstream } = plan.version;
  const served: Served = { model, version: number, assignedVersion: number, arm: plan.arm, tier: "upstream" };
  const { signal } = call;
  const isLong = sizes.task === "generate" && plan.stream === undefined;
  const timeoutMs = isLong ? Math.max(1, generationLeftMs(deps, call)) : remainingMs(deps, call);
  const post = () => deps.upstream.post({ upstream, path: plan.path, body: plan.body, signal, timeoutMs });
  const answer = await (isLong ? silently(deps, call, post) : post());
  const { status, contentType, body, retryAfter } = answer;
  const headers = { ...servedHeaders(served), ...(retryAfter === undefined ? {} : { "Retry-After": retryAfter }) };
  const { task, inputs } = sizes;
  const reached = (usage: EngineUsage): Reached => ({ ...served, ...usage, task, inputs, computeMs: deps.clock.nowMs() - startedAtMs });
  if (!(body instanceof Uint8Array)) {
    const renderFailure = (cause: unknown) => failureEvent(toldFailure(deps, call, upstreamFailure(cause, signal)), call);
    const stream = meterEventStream(body, { meter, reached, signal, contentType, renderFailure, ...(plan.stream ?? UNASKED) });
    return { status, contentType, headers: { ...headers, ...STREAM_HEADERS }, body: stream };
  }
  if (status !== 200) {
    const refusal = refusalBody(status, body);
    meter.void();
    return { status, contentType, headers, body: refusal };
  }
  const metered = { ...reached(usageOf(body)), outcome: signal.aborted ? "cancelled" : "ok" } as const;
  return { status, ...(await meter.answer(metered, { body, contentType, headers })) };
}

/** Foreign engines speak OpenAI's protocol, whatever dialect's path the caller took to them. */
function failureEvent(failure: Failure | undefined, { requestId }: Call): string {
  return `data: ${JSON.stringify(renderOpenaiFailure(failure, requestId))}\n\n`;
}

/** Reads `usage` off a whole answer. Where it stands at the end, as engines write it, the vectors before it are not parsed. */
function usageOf(bytes: Uint8Array): EngineUsage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tail = TRAILING_USAGE.exec(buffer.subarray(-USAGE_BYTES_MAX).toString("latin1"))?.[1];
  try {
    const answer = JSON.parse(tail === undefined ? buffer.toString() : `{"usage":${tail}}`) as { usage?: unknown } | null; // only `usage` is read, and that is checked
    return engineUsageOf(answer?.usage);
  } catch (cause) {
    throw new Failure("engine_failed", "The engine behind this model answered something that is not JSON.", { cause });
  }
}

const USAGE_BYTES_MAX = 400;
/** `usage` as the last member of the outermost object: its name's quote is not escaped, so it is not inside a text, and two braces close after it. */
const TRAILING_USAGE = /(?<!\\)"usage":\s*(\{(?:[^{}]|\{[^{}]*\})*\})\s*\}\s*$/;

/** A caller's mistake is told in the engine's words; what is wrong between us and the engine is not the caller's business. */
function refusalBody(status: number, body: Uint8Array): Uint8Array {
  if ([400, 404, 413, 415, 422, 429].includes(status)) return body;
  const cause = new Error(`status ${status}: ${Buffer.from(body).toString().slice(0, 500)}`);
  if (status === 503) throw new Failure("unavailable", "The engine behind this model is not ready.", { retryAfterMs: 5_000, cause });
  throw new Failure("engine_failed", "The engine behind this model failed.", { cause });
}
