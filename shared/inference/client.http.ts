import { type Dispatcher, Pool } from "undici";
import { Failure } from "../base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient, InferenceRequest, InferenceResult } from "./contract.ts";
import type { GenerateEvent } from "./generation.ts";
import { decodeFailure, decodeResult, garbled, TIMEOUT_HEADER } from "./wire.ts";
import { decodeEvents } from "./wire-events.ts";
import { encodeRequest } from "./wire-request.ts";

export type HttpClientSettings = {
  /** The function's base URL, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Calls at once, each with a connection of its own; more are refused. */
  readonly connectionsMax?: number;
};

/**
 * More than a function's waiting generations and calls together, and as many small calls as fit into the seconds that it lets them wait: it refuses by
 * tenant and by pace, and must see them for that.
 */
const CONNECTIONS_MAX = 1_024;
/** The largest honest answer is 2,048 vectors of 4,096 elements with their header. */
const ANSWER_BYTES_MAX = 64 * 1024 ** 2;
const CONNECT_TIMEOUT_MS = 2_000;
const ATTEMPTS_MAX = 2;
/** What a second attempt needs to be worth it. */
const RETRY_TIME_MS_MIN = 50;
const RETRY_AFTER_MS = 1_000;

/** An inference function over HTTP: `POST /invocations`. */
export function createHttpInferenceClient(settings: HttpClientSettings): InferenceClient & { readonly close: () => Promise<void> } {
  const connections = settings.connectionsMax ?? CONNECTIONS_MAX;
  const door = createDoor(connections);
  const pool = new Pool(new URL(settings.url).origin, {
    allowH2: false,
    connections,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: ANSWER_BYTES_MAX,
    // Each call has its own deadline.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    run: async (request, limits) => {
      const leave = door.enter();
      return run(pool, request, limits).finally(leave);
    },
    async *generate(call, limits) {
      const leave = door.enter();
      try {
        yield* generate(pool, call, limits);
      } finally {
        leave();
      }
    },
    close: () => pool.destroy(),
  };
}

/**
 * Lets in as many calls as there are connections. A line in front of them would know nothing of pace and deadlines: under three times the load that a
 * function can take, each call stood in it until it was too late to be answered, and almost none was.
 */
function createDoor(callsMax: number) {
  let calls = 0;
  return {
    enter() {
      if (calls >= callsMax)
        throw new Failure("overloaded", "Too many calls of the inference function are under way.", { retryAfterMs: RETRY_AFTER_MS });
      calls += 1;
      return () => {
        calls -= 1;
      };
    },
  };
}

async function run(pool: Pool, request: InferenceRequest, limits: CallLimits): Promise<InferenceResult> {
  const deadline = startDeadline(limits);
  try {
    const head = await sendTwice(pool, encodeRequest(request), deadline);
    const bytes = await readBody(head);
    if (head.statusCode !== 200) throw decodeFailure(head.statusCode, bytes);
    return decodeResult(bytes, request.body);
  } catch (error) {
    throw deadline.isOver() ? deadline.failure(error) : error;
  } finally {
    deadline.stop();
  }
}

/** Whoever stops reading ends the request, and so the work behind it. */
async function* generate(pool: Pool, call: GenerationCall, limits: CallLimits): AsyncGenerator<GenerateEvent, void> {
  const deadline = startDeadline(limits);
  try {
    const head = await sendTwice(pool, encodeRequest(call), deadline);
    if (head.statusCode !== 200) throw decodeFailure(head.statusCode, await readBody(head));
    try {
      yield* decodeEvents(head.body);
    } finally {
      head.body.destroy();
    }
  } catch (error) {
    if (deadline.isOver()) throw deadline.failure(error);
    throw error instanceof Failure ? error : garbled("it broke off", error);
  } finally {
    deadline.stop();
  }
}

/** Running a model changes nothing, so a call whose connection broke before the first byte of an answer is sent once more. */
async function sendTwice(pool: Pool, body: string, deadline: Deadline): Promise<Dispatcher.ResponseData> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send(pool, body, deadline);
    } catch (cause) {
      if (deadline.isOver() || attempt === ATTEMPTS_MAX || deadline.leftMs() < RETRY_TIME_MS_MIN) throw unreachable(cause);
    }
  }
}

function send(pool: Pool, body: string, deadline: Deadline): Promise<Dispatcher.ResponseData> {
  return pool.request({
    method: "POST",
    path: "/invocations",
    headers: { "content-type": "application/json", [TIMEOUT_HEADER]: String(Math.max(1, Math.floor(deadline.leftMs()))) },
    body,
    signal: deadline.signal,
  });
}

async function readBody(head: Dispatcher.ResponseData): Promise<Uint8Array> {
  try {
    return await head.body.bytes();
  } catch (cause) {
    // Part of the answer came, so the work was done: whoever wants it again asks again.
    throw garbled("it broke off", cause);
  }
}

const NOT_THERE = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

function unreachable(cause: unknown): Failure {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (NOT_THERE.has(code)) {
    return new Failure("unavailable", "The inference function cannot be reached.", { cause, retryAfterMs: RETRY_AFTER_MS });
  }
  return new Failure("engine_failed", "The inference function broke off.", { cause });
}

type Deadline = ReturnType<typeof startDeadline>;

/** One timer and one listener for the whole call; cheaper than composing AbortSignals on the hot path. */
function startDeadline({ signal, timeoutMs }: CallLimits) {
  const endsAtMs = performance.now() + timeoutMs;
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, timeoutMs);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return {
    signal: controller.signal,
    leftMs: () => endsAtMs - performance.now(),
    isOver: () => controller.signal.aborted,
    failure: (cause: unknown) =>
      signal.aborted
        ? new Failure("cancelled", "The caller left.", { cause })
        : new Failure("timeout", "The model did not answer in time.", { cause, retryAfterMs: RETRY_AFTER_MS }),
    stop: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    },
  };
}
