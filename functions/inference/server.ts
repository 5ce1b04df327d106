import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { Failure } from "../../shared/base/failure.ts";
import type { Engine } from "../../shared/inference/engine/engine.ts";
import { TIMEOUT_HEADER } from "../../shared/inference/wire.ts";
import { decodeRequest } from "../../shared/inference/wire-request.ts";
import type { Log } from "../../shared/log/log.ts";
import { type Answer, answerCall, failureAnswer, timeoutMsOf } from "./answer.ts";

export type ServerParts = { readonly engine: Engine; readonly log: Log };

/** 2,048 texts of 1,000 words, or one of each length in between. */
const BODY_BYTES_MAX = 32 * 1024 ** 2;
/** What is read of a larger body, and thrown away, so that its sender can hear the answer. */
const DISCARDED_BYTES_MAX = 4 * BODY_BYTES_MAX;
/** For a caller to send all of its body. */
const REQUEST_TIMEOUT_MS = 30_000;

/** The function's HTTP: `GET /ping`, 200 once it can serve, and `POST /invocations` (shared/inference/contract.ts). */
export function createInferenceServer(parts: ServerParts): Server {
  const server = createServer(async (request, response) => {
    const answered = await answer(parts, request, response);
    // A server that drains keeps no connection, and a body that was not read to its end would be taken for the next request.
    if (!server.listening || !request.complete) response.setHeader("connection", "close");
    await end(response, answered);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

async function answer(parts: ServerParts, request: IncomingMessage, response: ServerResponse): Promise<Answer> {
  switch (`${request.method} ${request.url}`) {
    case "GET /ping":
      return parts.engine.isReady() ? pong() : failureAnswer(new Failure("unavailable", "No worker is up."));
    case "POST /invocations":
      return invoke(parts, request, response);
    default:
      return failureAnswer(new Failure("not_found", "There are GET /ping and POST /invocations."));
  }
}

async function invoke(parts: ServerParts, request: IncomingMessage, response: ServerResponse): Promise<Answer> {
  const leaving = new AbortController();
  // Its connection is gone before it has its answer: what still waits of its work is dropped.
  response.once("close", () => response.writableFinished || leaving.abort());
  try {
    const timeoutMs = timeoutMsOf(request.headers[TIMEOUT_HEADER]);
    return await answerCall(parts, async () => decodeRequest(await readBody(request)), { signal: leaving.signal, timeoutMs });
  } catch (error) {
    if (error instanceof Failure) return failureAnswer(error);
    throw error;
  }
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes > DISCARDED_BYTES_MAX) break;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    }
  } catch (cause) {
    throw new Failure("cancelled", "The caller left.", { cause });
  }
  if (bytes > BODY_BYTES_MAX) throw new Failure("too_large", `The body is larger than ${BODY_BYTES_MAX} bytes.`);
  return Buffer.concat(chunks);
}

const pong = (): Answer => ({ status: 200, type: "application/json", body: Buffer.from('{"status":"ok"}') });

async function end(response: ServerResponse, { status, type, body }: Answer): Promise<void> {
  if (body instanceof Uint8Array) {
    if (!response.destroyed) response.writeHead(status, { "content-type": type, "content-length": body.byteLength }).end(body);
    return;
  }
  response.writeHead(status, { "content-type": type });
  // It writes as fast as the caller reads, and ends the work when the caller leaves.
  await pipeline(body, response).catch(() => {});
}
