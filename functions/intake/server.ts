import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Failure } from "../../shared/base/failure.ts";
import { IntakeJob } from "../../shared/models/intake-client.ts";
import type { CheckQueue } from "./check-queue.ts";

const BODY_BYTES_MAX = 4_096;
const REQUEST_TIMEOUT_MS = 10_000;

type Queue = Pick<CheckQueue, "add">;

/** Intake's HTTP: `GET /ping`, and `POST /invocations` with a job, which is taken (202) before it is done. */
export function createIntakeServer(queue: Queue): Server {
  const server = createServer((request, response) => {
    answer(queue, request)
      .then(({ status, body }) => end(response, status, body))
      .catch((error: unknown) => endWithFailure(response, error));
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

async function answer(queue: Queue, request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  switch (`${request.method} ${request.url}`) {
    case "GET /ping":
      return { status: 200, body: { status: "ok" } };
    case "POST /invocations": {
      const job = await readJob(request);
      queue.add(job);
      return { status: 202, body: job };
    }
    default:
      throw new Failure("not_found", "There are GET /ping and POST /invocations.");
  }
}

async function readJob(request: IncomingMessage): Promise<IntakeJob> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) throw new Failure("too_large", `The body is larger than ${BODY_BYTES_MAX} bytes.`);
  }
  const job = IntakeJob.safeParse(jsonOf(text));
  if (!job.success) throw new Failure("invalid_request", "The body must be {model, number}.");
  return job.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}

function endWithFailure(response: ServerResponse, error: unknown) {
  const failure = error instanceof Failure ? error : new Failure("unavailable", "The request could not be read.");
  end(response, failure.status, { error: { code: failure.code, message: failure.message } });
}

function end(response: ServerResponse, status: number, body: unknown) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
