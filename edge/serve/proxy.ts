import type { Readable } from "node:stream";
import { Failure } from "../../shared/base/failure.ts";
import type { UpstreamVersion } from "../../shared/models/version.ts";
import type { Deps } from "../deps.ts";
import { type EngineUsage, engineUsageOf, type Meter } from "./engine-usage.ts";
import { type Call, remainingMs, type Served, settle } from "./serve.ts";
import { type UpstreamAnswer, upstreamFailure } from "./upstream-client.ts";
import { meterEventStream } from "./upstream-stream.ts";

const ANSWER_BYTES_MAX = 64 * 1024 ** 2;
const ERROR_BYTES_MAX = 64 * 1024;
const ERROR_TIMEOUT_MS = 5_000;

/** A request for a foreign engine, with the model's name as the engine knows it. */
export type ProxyPlan = {
  readonly version: UpstreamVersion;
  readonly arm: string;
  readonly path: string;
  readonly task: string;
  readonly body: Uint8Array;
  readonly inputs: number;
  /** The engine was asked for a usage event that the caller did not ask for. */
  readonly hidesUsage?: boolean;
};

export type ProxyAnswer = Served & {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
};

/** Passes a request to a foreign engine and its answer back: a whole one after it is metered, a stream with its last event held until then. */
export async function proxy(deps: Deps, call: Call, plan: ProxyPlan): Promise<ProxyAnswer> {
  const startedAtMs = deps.clock.nowMs();
  const served: Served = { model: plan.version.model, version: plan.version.number, arm: plan.arm, tier: "upstream" };
  const { upstream } = plan.version;
  const { signal } = call;
  const answer = await deps.upstream.post({ upstream, path: plan.path, body: plan.body, signal, timeoutMs: remainingMs(deps, call) });
  const head = { ...served, status: answer.status, contentType: answer.contentType, retryAfter: answer.retryAfter };
  if (answer.status !== 200) return { ...head, body: await refusalBody(answer, signal) };
  const meter: Meter = (usage, outcome) =>
    settle(deps, call, { ...served, ...usage, task: plan.task, outcome, inputs: plan.inputs, computeMs: deps.clock.nowMs() - startedAtMs });
  if (answer.contentType.startsWith("text/event-stream")) {
    return { ...head, body: meterEventStream(answer.body, { meter, signal, hidesUsage: plan.hidesUsage ?? false }) };
  }
  const bytes = await collect(answer.body, { bytesMax: ANSWER_BYTES_MAX, timeoutMs: remainingMs(deps, call), signal });
  await meter(usageOf(bytes), signal.aborted ? "cancelled" : "ok");
  return { ...head, body: bytes };
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
async function refusalBody(answer: UpstreamAnswer, signal: AbortSignal): Promise<Uint8Array> {
  const body = await collect(answer.body, { bytesMax: ERROR_BYTES_MAX, timeoutMs: ERROR_TIMEOUT_MS, signal });
  if ([400, 404, 413, 415, 422, 429].includes(answer.status)) return body;
  const cause = new Error(`status ${answer.status}: ${Buffer.from(body).toString().slice(0, 500)}`);
  if (answer.status === 503) throw new Failure("unavailable", "The engine behind this model is not ready.", { retryAfterMs: 5_000, cause });
  throw new Failure("engine_failed", "The engine behind this model failed.", { cause });
}

type Bounds = { readonly bytesMax: number; readonly timeoutMs: number; readonly signal: AbortSignal };

/** Reads a whole body. By events rather than `for await`, which costs several promises a chunk on the hottest path there is. */
function collect(body: Readable, { bytesMax, timeoutMs, signal }: Bounds): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => body.destroy(new Failure("timeout", "The engine behind this model did not finish its answer in time.")),
      timeoutMs,
    );
    body.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) body.destroy(new Failure("engine_failed", `The engine's answer is larger than ${bytesMax / 1024} KiB.`));
      else chunks.push(chunk);
    });
    body.once("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    body.once("error", (cause) => reject(upstreamFailure(cause, signal)));
    body.once("close", () => {
      clearTimeout(timer);
      // A body that is destroyed without an error says only this.
      if (!body.readableEnded) reject(upstreamFailure(new Error("the engine closed its answer early"), signal));
    });
  });
}
