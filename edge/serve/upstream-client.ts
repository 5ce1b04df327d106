import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { Agent, type Dispatcher, errors } from "undici";
import { Failure } from "../../shared/base/failure.ts";
import { checkedAddresses, lookupOf, type Resolve } from "../../shared/events/target.ts";
import { type EngineReach, type EngineRules, reachOfEngine } from "../../shared/models/engine-rules.ts";
import type { Upstream } from "../../shared/models/version.ts";

export type UpstreamRequest = {
  readonly upstream: Upstream;
  /** Below the engine's base URL, such as `/embeddings`. */
  readonly path: string;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
  /** Until the last byte of a whole answer, or the first one of a stream. */
  readonly timeoutMs: number;
};

export type UpstreamAnswer = {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  /** Whole, at most `ANSWER_BYTES_MAX`; an event stream as it comes. */
  readonly body: Uint8Array | Readable;
};

/** The door to foreign OpenAI-compatible engines. Failures: `unavailable`, `timeout`, `engine_failed`, `cancelled`. */
export type UpstreamClient = {
  readonly post: (request: UpstreamRequest) => Promise<UpstreamAnswer>;
  readonly close: () => Promise<void>;
};

const CONNECTIONS_PER_ENGINE_MAX = 256;
const CONNECT_TIMEOUT_MS = 2_000;
/** The longest silence within an answer: of a stream that has begun, a long prompt may be read in it. Callers get heartbeats meanwhile. */
const SILENCE_TIMEOUT_MS = 120_000;
const ANSWER_BYTES_MAX = 64 * 1024 ** 2;

export function createUpstreamClient(rules: EngineRules, resolve: Resolve): UpstreamClient {
  const agents = { named: createAgent({}), public: createAgent({ lookup: publicLookup(resolve) }) };
  // By the version's own object, which lives as long as the catalog keeps it: a request pays for one look.
  const ways = new WeakMap<Upstream, Way>();
  function wayTo(upstream: Upstream): Way {
    const known = ways.get(upstream) ?? openWay(rules, upstream);
    ways.set(upstream, known);
    return known;
  }
  return {
    post: async (request) => post(agents, wayTo(request.upstream), request),
    close: async () => void (await Promise.all([agents.named.close(), agents.public.close()])),
  };
}

function createAgent(connect: { readonly lookup?: LookupFunction }): Agent {
  return new Agent({
    connections: CONNECTIONS_PER_ENGINE_MAX,
    connect: { timeout: CONNECT_TIMEOUT_MS, ...connect },
    bodyTimeout: SILENCE_TIMEOUT_MS,
    allowH2: false,
  });
}

/** Each connection looks its name up itself, and is made to what was checked: a name that leads inside by now leads nowhere. */
function publicLookup(resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    checkedAddresses(hostname, "public", resolve).then(
      (addresses) => lookupOf(addresses)(hostname, options, callback),
      (cause) => callback(Object.assign(new Error(`${hostname} cannot be connected to`, { cause }), { code: "ENOTFOUND" }), ""),
    );
  };
}

type Way = { readonly reach: EngineReach; readonly origin: string; readonly path: string; readonly headers: Record<string, string> };

/** Redirects are not followed by anyone here, so a credential goes to the origin that it is bound to and nowhere else. */
function openWay(rules: EngineRules, upstream: Upstream): Way {
  const { origin, pathname } = new URL(upstream.url);
  const credential = upstream.credential === undefined ? undefined : rules.credentials.get(upstream.credential);
  return {
    ...{ reach: reachNow(rules, upstream), origin, path: pathname.replace(/\/$/, "") },
    // Only what the engine needs: a caller's own headers, its key above all, stay here.
    headers: { "content-type": "application/json", ...(credential === undefined ? {} : { authorization: `Bearer ${credential.value}` }) },
  };
}

/** What was published under other rules is between the operators and us. */
function reachNow(rules: EngineRules, upstream: Upstream): EngineReach {
  try {
    return reachOfEngine(rules, upstream);
  } catch (cause) {
    throw new Failure("unavailable", "The engine behind this model may not be called from here.", { cause });
  }
}

function post(agents: Readonly<Record<EngineReach, Agent>>, way: Way, request: UpstreamRequest): Promise<UpstreamAnswer> {
  const options: Dispatcher.DispatchOptions = {
    origin: way.origin,
    path: way.path + request.path,
    method: "POST",
    headers: way.headers,
    body: request.body,
    headersTimeout: 0, // the deadline is kept for the whole answer
  };
  return new Promise((resolve, reject) => {
    agents[way.reach].dispatch(options, receive(request, { resolve, reject }));
  });
}

type Settle = { readonly resolve: (answer: UpstreamAnswer) => void; readonly reject: (failure: Failure) => void };

/** Collects a whole answer with no stream in between: on the hottest path there is, a `Readable` and its events cost more than the bytes. */
function receive({ signal, timeoutMs }: UpstreamRequest, { resolve, reject }: Settle): Dispatcher.DispatchHandler {
  let request: Dispatcher.DispatchController | undefined;
  let ended: Error | undefined;
  // Also while the request still waits for a connection, when there is nothing to abort yet.
  const end = (cause: Error) => {
    ended = cause;
    request?.abort(cause);
    reject(upstreamFailure(cause, signal));
  };
  const deadline = setTimeout(() => end(tooLate()), timeoutMs);
  signal.addEventListener("abort", () => end(new Error("the caller left")), { once: true });
  let head: Omit<UpstreamAnswer, "body"> | undefined;
  let stream: Readable | undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    onRequestStart(controller) {
      request = controller;
      if (signal.aborted) ended ??= new Error("the caller left");
      if (ended !== undefined) controller.abort(ended);
    },
    onResponseStart(controller, status, headers) {
      head = headOf(status, headers);
      if (status !== 200 || !head.contentType.startsWith("text/event-stream")) return;
      clearTimeout(deadline);
      stream = streamFrom(controller);
      resolve({ ...head, body: stream });
    },
    onResponseData(controller, chunk) {
      if (stream !== undefined) {
        if (!stream.push(chunk)) controller.pause();
        return;
      }
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > ANSWER_BYTES_MAX) controller.abort(new Failure("engine_failed", "The engine's answer is too large."));
    },
    onResponseEnd() {
      clearTimeout(deadline);
      if (stream !== undefined) stream.push(null);
      else if (head !== undefined)
        resolve({ ...head, body: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks) });
    },
    onResponseError(_, cause) {
      clearTimeout(deadline);
      if (stream !== undefined) stream.destroy(cause);
      else reject(upstreamFailure(cause, signal));
    },
  };
}

/** Bytes are taken from the engine only as fast as the caller takes them; a caller who leaves ends the engine's work. */
function streamFrom(controller: Dispatcher.DispatchController): Readable {
  return new Readable({
    read: () => controller.resume(),
    destroy(cause, done) {
      controller.abort(cause ?? new Error("the caller left"));
      done(cause);
    },
  });
}

function headOf(status: number, headers: Record<string, string | string[] | undefined>): Omit<UpstreamAnswer, "body"> {
  const { "content-type": contentType, "retry-after": retryAfter } = headers;
  return {
    status,
    contentType: typeof contentType === "string" ? contentType : "application/octet-stream",
    retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
  };
}

/** What an error on the way to or from an engine means for the caller. */
export function upstreamFailure(cause: unknown, signal: AbortSignal): Failure {
  if (cause instanceof Failure) return cause;
  if (signal.aborted) return new Failure("cancelled", "The caller left.", { cause });
  if (cause instanceof errors.HeadersTimeoutError || cause instanceof errors.BodyTimeoutError) {
    return tooLate(cause);
  }
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ECONNREFUSED" || code === "UND_ERR_CONNECT_TIMEOUT" || code === "ENOTFOUND") {
    return new Failure("unavailable", "The engine behind this model cannot be reached.", { retryAfterMs: 5_000, cause });
  }
  return new Failure("engine_failed", "The engine behind this model broke off its answer.", { cause });
}

function tooLate(cause?: unknown): Failure {
  return new Failure("timeout", "The engine behind this model did not answer in time.", { cause });
}
