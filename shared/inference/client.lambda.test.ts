import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { Failure } from "../base/failure.ts";
import { createLambdaInferenceClient } from "./client.lambda.ts";
import type { InferenceRequest } from "./contract.ts";
import { encodeFailure, encodeResult, LambdaEvent, parseRequest } from "./wire.ts";

const REQUEST: InferenceRequest = {
  requestId: "r1",
  tenant: "demo",
  model: "toxic",
  version: 1,
  manifestDigest: "a".repeat(64),
  dtype: "fp32",
  body: { task: "classify", inputs: [{ kind: "text", text: "hello" }], overlong: "cut" },
};
const RESULT = {
  body: { task: "classify", labels: ["a", "b"], scores: new Float32Array([0.5, 0.25]) },
  inputTokens: [3],
  queueMs: 0,
  runMs: 1,
} as const;
const LIMITS = { signal: new AbortController().signal, timeoutMs: 5_000 };

beforeAll(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  return () => vi.unstubAllEnvs();
});

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

test("an invocation carries the request and brings the scores back", async () => {
  const client = await clientOf(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const event = LambdaEvent.parse(JSON.parse(Buffer.concat(chunks).toString()));
    expect(request.url).toBe("/2015-03-31/functions/weir-cpu/invocations");
    expect(parseRequest(event.request)).toEqual(REQUEST);
    response.end(JSON.stringify({ status: 200, body: Buffer.from(encodeResult(RESULT)).toString("base64") }));
  });

  expect(await client.run(REQUEST, LIMITS)).toEqual(RESULT);
});

test("the function's own refusals keep their code", async () => {
  const refusal = encodeFailure(new Failure("overloaded", "The queue is full.", { retryAfterMs: 300 }));
  const client = await clientOf((_, response) => {
    response.end(JSON.stringify({ status: 429, body: Buffer.from(refusal).toString("base64") }));
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 300 });
});

test("a process that died is engine_failed, garbage too", async () => {
  const died = await clientOf((_, response) => {
    response.writeHead(200, { "x-amz-function-error": "Unhandled" }).end('{"errorType":"Runtime.ExitError"}');
  });
  const garbage = await clientOf((_, response) => void response.end("hello"));

  await expect(died.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
  await expect(garbage.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
});

test("a throttled invocation is overloaded", async () => {
  const client = await clientOf((_, response) => {
    response.writeHead(429, { "x-amzn-errortype": "TooManyRequestsException" }).end('{"message":"Rate Exceeded."}');
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "overloaded" });
});

test("silence is timeout, a caller who leaves is cancelled", async () => {
  const leaving = new AbortController();
  const silent = await clientOf(() => undefined);
  const left = await clientOf(() => leaving.abort());

  await expect(silent.run(REQUEST, { ...LIMITS, timeoutMs: 80 })).rejects.toMatchObject({ code: "timeout" });
  await expect(left.run(REQUEST, { ...LIMITS, signal: leaving.signal })).rejects.toMatchObject({ code: "cancelled" });
});

async function clientOf(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const client = createLambdaInferenceClient({ region: "us-east-1", functionName: "weir-cpu", endpoint: `http://127.0.0.1:${port}` });
  opened.push(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return client;
}
