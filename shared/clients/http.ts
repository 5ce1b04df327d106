import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { Failure } from "../base/failure.ts";
import type { Page, PageQuery } from "../base/page.ts";
import { answeredFailureOf } from "./answered-failure.ts";

const TIMEOUT_MS = 30_000;
const ATTEMPTS_MAX = 3;
const RETRY_WAIT_MS = 200;
const RETRY_WAIT_MS_MAX = 5_000;
const LIST_PAGES_MAX = 1_000;

export type HttpSettings = {
  /** The gateway's base URL, such as `http://127.0.0.1:8787`. */
  readonly url: string;
  readonly key: string;
  readonly timeoutMs?: number;
};

export type Ask<T> = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path's segments, not encoded. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Goes as JSON; bytes go as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What a successful answer must look like. */
  readonly answer: z.ZodType<T>;
};

/** A question whose answer is not JSON alone. */
export type Send = Omit<Ask<never>, "answer"> & { readonly signal?: AbortSignal | undefined };

/** Weir's own HTTP, as its clients speak it. */
export type Http = {
  /** The answer's body. Fails with the `Failure` that the gateway answered, as an `AnsweredFailure`. */
  readonly ask: <T>(ask: Ask<T>) => Promise<T>;
  /** The same with the answer's headers. */
  readonly exchange: <T>(ask: Ask<T>) => Promise<{ readonly body: T; readonly headers: Headers }>;
  /** An answer's bytes. Sent once; fails as `ask` does. */
  readonly bytes: (send: Send) => Promise<{ readonly bytes: Uint8Array; readonly headers: Headers }>;
  /** An answer that comes piece by piece: its head must come in time, the rest may last. */
  readonly stream: (send: Send) => Promise<ReadableStream<Uint8Array>>;
};

export function createHttp(settings: HttpSettings): Http {
  return {
    ask: async (ask) => (await exchange(settings, ask)).body,
    exchange: (ask) => exchange(settings, ask),
    bytes: async (ask) => {
      const { status, headers, body } = await send(settings, ask, async (response) => new Uint8Array(await response.arrayBuffer()));
      if (!isSuccess(status)) throw answeredFailureOf({ status, headers, json: jsonOf(Buffer.from(body).toString()) });
      return { bytes: body, headers };
    },
    stream: (ask) => openStream(settings, ask),
  };
}

/** The header of a change that rests on a revision which was read: if that is not the last any more, it fails with `precondition_failed`. */
export function ifMatch(revision: number | undefined): Readonly<Record<string, string>> {
  return revision === undefined ? {} : { "if-match": `"${revision}"` };
}

/** Every item of a list, page by page. */
export async function everyItem<T>(list: (page: Partial<PageQuery>) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < LIST_PAGES_MAX; pages += 1) {
    const page = await list(cursor === undefined ? {} : { cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) return items;
  }
  throw new Failure("too_large", `The list has more than ${LIST_PAGES_MAX} pages.`);
}

async function exchange<T>(settings: HttpSettings, ask: Ask<T>) {
  // Only a read may be sent twice: of a write whose answer was lost nobody knows whether it was done.
  const attemptsMax = ask.method === "GET" ? ATTEMPTS_MAX : 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await exchangeOnce(settings, ask);
    } catch (error) {
      if (attempt >= attemptsMax || !isWorthRepeating(error)) throw error;
      await sleep(Math.min(RETRY_WAIT_MS_MAX, error.retryAfterMs ?? RETRY_WAIT_MS * 2 ** (attempt - 1)));
    }
  }
}

/** A call that took its whole time is not repeated: who waits has waited long enough. */
function isWorthRepeating(error: unknown): error is Failure {
  return error instanceof Failure && error.isRetryable && error.code !== "timeout";
}

async function exchangeOnce<T>(settings: HttpSettings, ask: Ask<T>) {
  const { status, headers, body } = await send(settings, ask, (response) => response.text());
  const json = jsonOf(body);
  if (!isSuccess(status)) throw answeredFailureOf({ status, headers, json });
  const parsed = ask.answer.safeParse(json);
  if (parsed.success) return { body: parsed.data, headers };
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? "its body" : issue.path.join(".");
  throw new Failure(
    "engine_failed",
    `The answer to ${ask.method} /${ask.path.join("/")} is not in the form of this client's version: ${place}.`,
  );
}

async function send<T>(settings: HttpSettings, ask: Send, read: (response: Response) => Promise<T>) {
  const timeoutMs = settings.timeoutMs ?? TIMEOUT_MS;
  const signals = [AbortSignal.timeout(timeoutMs), ...(ask.signal === undefined ? [] : [ask.signal])];
  const { url, request } = requestOf(settings, ask);
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.any(signals) });
    return { status: response.status, headers: response.headers, body: await read(response) };
  } catch (cause) {
    throw unansweredOf(settings, { cause, timeoutMs, isCancelled: ask.signal?.aborted === true });
  }
}

async function openStream(settings: HttpSettings, ask: Send): Promise<ReadableStream<Uint8Array>> {
  const timeoutMs = settings.timeoutMs ?? TIMEOUT_MS;
  const late = new AbortController();
  const due = setTimeout(() => late.abort(new DOMException("no head", "TimeoutError")), timeoutMs);
  const signals = [late.signal, ...(ask.signal === undefined ? [] : [ask.signal])];
  const { url, request } = requestOf(settings, ask);
  const response = await fetch(url, { ...request, signal: AbortSignal.any(signals) })
    .catch((cause: unknown) => {
      throw unansweredOf(settings, { cause, timeoutMs, isCancelled: ask.signal?.aborted === true });
    })
    .finally(() => clearTimeout(due));
  const { status, headers, body } = response;
  if (!isSuccess(status)) throw answeredFailureOf({ status, headers, json: jsonOf(await response.text()) });
  if (body === null) throw new Failure("engine_failed", `The answer to ${ask.method} /${ask.path.join("/")} is empty.`);
  return body;
}

function requestOf(settings: HttpSettings, ask: Send) {
  const { method, body } = ask;
  const bytes = body instanceof Uint8Array ? new Uint8Array(body) : undefined; // a copy that is sure not to be shared memory
  const sent = bytes ?? (body === undefined ? null : JSON.stringify(body));
  return { url: urlOf(settings, ask), request: { method, headers: headersOf(settings, ask), body: sent } };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

function urlOf({ url }: HttpSettings, { path, query = {} }: Send): URL {
  // A URL would read `..` as a step upwards, however it is encoded.
  if (path.some((part) => /^\.{0,2}$/.test(part))) throw new Failure("invalid_request", `'${path.join("/")}' is not a path of Weir.`);
  const target = new URL(path.map(encodeURIComponent).join("/"), url.endsWith("/") ? url : `${url}/`);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(name, String(value));
  return target;
}

function headersOf({ key }: HttpSettings, { headers = {}, body }: Send): Record<string, string> {
  return {
    authorization: `Bearer ${headerValueOf("the key", key)}`,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, headerValueOf(name, value)])),
  };
}

/** A header holds bytes: UTF-8, as curl sends it from a terminal. */
function headerValueOf(name: string, text: string): string {
  if (/\p{Cc}/u.test(text)) throw new Failure("invalid_request", `${name} must be one line of text.`, { field: name });
  return Buffer.from(text, "utf8").toString("latin1");
}

type Unanswered = { readonly cause: unknown; readonly timeoutMs: number; readonly isCancelled: boolean };

function unansweredOf({ url }: HttpSettings, { cause, timeoutMs, isCancelled }: Unanswered): Failure {
  if (isCancelled) return new Failure("cancelled", `The call to ${url} was given up.`, { cause });
  const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
  if (isTimeout) return new Failure("timeout", `${url} did not answer within ${timeoutMs / 1000} s.`, { cause });
  return new Failure("unavailable", `${url} cannot be reached (${reasonOf(cause)}).`, { cause });
}

/** fetch says only `fetch failed`; its cause has the network's code. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no schema and no failure form accepts it
  }
}
