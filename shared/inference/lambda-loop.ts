import { Readable } from "node:stream";
import { request } from "undici";

/** One event that Lambda hands to a function. */
export type Invocation = { readonly payload: Uint8Array /** Milliseconds since the epoch. */; readonly deadlineAtMs: number };

export type LambdaLoop = {
  /** `AWS_LAMBDA_RUNTIME_API`, host and port. */
  readonly runtimeApi: string;
  /** Its answer is the function's, whole or as it comes; what it throws is reported as the invocation's failure, and the loop goes on. */
  readonly handle: (invocation: Invocation) => Promise<Uint8Array | AsyncIterable<string>>;
  readonly signal: AbortSignal;
};

/** Lambda freezes a function that waits for its next event, for hours. */
const UNLIMITED = { headersTimeout: 0, bodyTimeout: 0 } as const;
const REPORT_TIMEOUT_MS = 10_000;

/**
 * Takes events from Lambda's runtime API until the signal, one at a time (docs.aws.amazon.com/lambda, "runtimes-api"). In a container image of our own
 * this is all that a runtime is; the image stays the same that runs as an HTTP server elsewhere.
 */
export async function runLambdaLoop(loop: LambdaLoop): Promise<void> {
  const root = `http://${loop.runtimeApi}/2018-06-01/runtime/invocation`;
  while (!loop.signal.aborted) await serveNext(loop, root);
}

async function serveNext({ handle, signal }: LambdaLoop, root: string): Promise<void> {
  const next = await request(`${root}/next`, { signal, ...UNLIMITED });
  const id = headerOf(next.headers, "lambda-runtime-aws-request-id");
  const deadlineAtMs = Number(headerOf(next.headers, "lambda-runtime-deadline-ms"));
  const payload = new Uint8Array(await next.body.arrayBuffer());
  try {
    const answer = await handle({ payload, deadlineAtMs });
    if (answer instanceof Uint8Array) await report(`${root}/${id}/response`, answer);
    else await stream(`${root}/${id}/response`, answer);
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
    await report(`${root}/${id}/error`, JSON.stringify({ errorType: name, errorMessage: message }));
  }
}

async function report(url: string, body: Uint8Array | string): Promise<void> {
  const answer = await request(url, { method: "POST", body, signal: AbortSignal.timeout(REPORT_TIMEOUT_MS) });
  await answer.body.dump();
}

/** Lambda passes the bytes on as they come, if its caller asked for a stream. */
async function stream(url: string, chunks: AsyncIterable<string>): Promise<void> {
  const headers = { "lambda-runtime-function-response-mode": "streaming", "content-type": "application/octet-stream" };
  const answer = await request(url, { method: "POST", headers, body: Readable.from(chunks), ...UNLIMITED });
  await answer.body.dump();
}

function headerOf(headers: Readonly<Record<string, string | string[] | undefined>>, name: string): string {
  const value = headers[name];
  if (typeof value !== "string") throw new Error(`Lambda's runtime API gave no ${name}`);
  return value;
}
