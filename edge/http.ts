import { isUtf8 } from "node:buffer";
import type { z } from "zod";
import { Failure } from "../shared/base/failure.ts";
import type { EdgeContext } from "./env.ts";
import { assertLightJson } from "./json-weight.ts";
import { BODY_BYTES_MAX, IDLE_TIMEOUT_MS, STREAM_HELD_BYTES } from "./limits.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads a whole body of at most `BODY_BYTES_MAX`, however it is sent. */
export async function readBody(c: EdgeContext): Promise<Uint8Array> {
  try {
    // A stated length is known to be small enough (see capBody); a chunked body is counted while it comes.
    const stated = c.req.header("content-length");
    if (stated === undefined) return await collect(c);
    c.get("hold").take(Number(stated));
    return new Uint8Array(await c.req.arrayBuffer());
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    // The socket broke or was cut off for being slow; the server has answered that itself, if anybody is left to read it.
    throw new Failure("cancelled", "The body broke off.", { cause });
  }
}

async function collect(c: EdgeContext): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > BODY_BYTES_MAX) throw bodyTooLarge();
    c.get("hold").take(chunk.byteLength);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Reads a JSON body and checks it against its schema. Fails with `invalid_request` and the field's name. */
export async function readJson<T>(c: EdgeContext, schema: z.ZodType<T>): Promise<T> {
  return parseJson(await readBody(c), schema);
}

/** The same where everything may be left out: no body is an empty object. */
export async function readOptionalJson<T>(c: EdgeContext, schema: z.ZodType<T>): Promise<T> {
  const body = await readBody(c);
  return body.byteLength === 0 ? checked({}, schema) : parseJson(body, schema);
}

/** The same for bytes that are read already. A missing Content-Type is fine: some clients send none. */
export function parseJson<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
  return checked(decodeJson(bytes), schema);
}

/** Checks a value, such as a query, against its schema. */
export function checked<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw failureOf(parsed.error);
}

export function bodyTooLarge(): Failure {
  return new Failure("too_large", `The body is larger than ${BODY_BYTES_MAX / 1024 ** 2} MiB.`);
}

/** Notes a header for the answer, whoever writes it. A plain record: building a `Headers` for each request costs more than routing it. */
export function tell(c: EdgeContext, name: string, value: string) {
  c.get("told")[name] = value;
}

/** The hot path's answer: body and headers go to the socket as they are. Other routes may use `c.json` and the like. */
export function answer(
  c: EdgeContext,
  body: string | Uint8Array | ReadableStream<Uint8Array>,
  head: { status?: number; contentType: string },
): Response {
  c.set("isTold", true);
  c.get("hold").keep(body instanceof ReadableStream ? STREAM_HELD_BYTES : body.length);
  const told = { ...c.get("told"), "Content-Type": head.contentType };
  return new Response(writable(body) as ConstructorParameters<typeof Response>[0], { status: head.status ?? 200, headers: told }); // none of our buffers is shared memory
}

/** Node writes headers and a text together in one piece; with bytes it takes two and a slower call, a sixth of a small answer's cost. */
function writable(body: string | Uint8Array | ReadableStream<Uint8Array>) {
  const isSmallText = body instanceof Uint8Array && body.byteLength <= TEXT_BYTES_MAX && isUtf8(body);
  return isSmallText ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString() : body;
}

const TEXT_BYTES_MAX = 64 * 1024;

/** Aborts when the caller leaves before its answer is complete. */
export function callerSignal(c: EdgeContext): AbortSignal {
  const { outgoing } = c.env ?? {};
  // Asking the Request for its signal makes node-server build a whole Request; the socket says the same for less.
  if (outgoing === undefined) return c.req.raw.signal;
  const controller = new AbortController();
  if (outgoing.destroyed) controller.abort();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Lets a caller's connection be silent for longer than connections may be else. Node takes it back with the connection's next request. */
export function mayBeSilentFor(c: EdgeContext, ms: number) {
  c.env?.incoming?.socket.setTimeout(Math.max(ms, IDLE_TIMEOUT_MS));
}

function decodeJson(bytes: Uint8Array): unknown {
  assertLightJson(bytes);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new Failure("invalid_request", "The body is not valid UTF-8.", { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Failure("invalid_request", `The body is not valid JSON: ${messageOf(cause)}`, { cause });
  }
}

function failureOf(error: z.ZodError): Failure {
  const [issue] = error.issues;
  const strange = issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
  const field = [...(issue?.path ?? []), ...strange].join(".");
  const message = issue?.message ?? "The request does not have the right form.";
  return field === "" ? new Failure("invalid_request", message) : new Failure("invalid_request", `${field}: ${message}`, { field });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.slice(0, 200) : "unreadable";
}
