import type { Readable } from "node:stream";
import { Agent, errors } from "undici";
import { Failure } from "../../shared/base/failure.ts";
import type { Upstream } from "../../shared/models/version.ts";

export type UpstreamRequest = {
  readonly upstream: Upstream;
  /** Below the engine's base URL, such as `/embeddings`. */
  readonly path: string;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
};

export type UpstreamAnswer = {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  readonly body: Readable;
};

/** The door to foreign OpenAI-compatible engines. Failures: `unavailable`, `timeout`, `engine_failed`, `cancelled`. */
export type UpstreamClient = {
  readonly post: (request: UpstreamRequest) => Promise<UpstreamAnswer>;
  readonly close: () => Promise<void>;
};

const CONNECTIONS_PER_ENGINE_MAX = 256;
const CONNECT_TIMEOUT_MS = 2_000;
/** The longest silence within an answer; engines send their next token or a heartbeat sooner. */
const SILENCE_TIMEOUT_MS = 30_000;

export function createUpstreamClient(credentials: ReadonlyMap<string, string>): UpstreamClient {
  const agent = new Agent({
    connections: CONNECTIONS_PER_ENGINE_MAX,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    bodyTimeout: SILENCE_TIMEOUT_MS,
  });
  return { post: (request) => post(agent, credentials, request), close: () => agent.close() };
}

async function post(agent: Agent, credentials: ReadonlyMap<string, string>, request: UpstreamRequest): Promise<UpstreamAnswer> {
  const { upstream } = request;
  const url = new URL(upstream.url);
  const credential = upstream.credential === undefined ? undefined : credentials.get(upstream.credential);
  try {
    const answer = await agent.request({
      origin: url.origin,
      path: `${url.pathname.replace(/\/$/, "")}${request.path}`,
      method: "POST",
      // Only what the engine needs: a caller's own headers, its key above all, stay here.
      headers: { "content-type": "application/json", ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }) },
      body: request.body,
      signal: request.signal,
      headersTimeout: request.timeoutMs,
    });
    const { "content-type": contentType, "retry-after": retryAfter } = answer.headers;
    return {
      status: answer.statusCode,
      contentType: typeof contentType === "string" ? contentType : "application/octet-stream",
      retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
      body: answer.body,
    };
  } catch (cause) {
    throw upstreamFailure(cause, request.signal);
  }
}

/** What an error on the way to or from an engine means for the caller. */
export function upstreamFailure(cause: unknown, signal: AbortSignal): Failure {
  if (cause instanceof Failure) return cause;
  if (signal.aborted) return new Failure("cancelled", "The caller left.", { cause });
  if (cause instanceof errors.HeadersTimeoutError || cause instanceof errors.BodyTimeoutError) {
    return new Failure("timeout", "The engine behind this model did not answer in time.", { cause });
  }
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ECONNREFUSED" || code === "UND_ERR_CONNECT_TIMEOUT" || code === "ENOTFOUND") {
    return new Failure("unavailable", "The engine behind this model cannot be reached.", { retryAfterMs: 5_000, cause });
  }
  return new Failure("engine_failed", "The engine behind this model broke off its answer.", { cause });
}
