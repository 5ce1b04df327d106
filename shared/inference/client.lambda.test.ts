import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32 } from "node:zlib";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { Failure } from "../base/failure.ts";
import { createLambdaInferenceClient } from "./client.lambda.ts";
import type { GenerationCall, InferenceRequest } from "./contract.ts";
import type { GenerateEvent } from "./generation.ts";
import { encodeFailure, encodeResult, LambdaEvent } from "./wire.ts";
import { encodeBreak, encodeEvent } from "./wire-events.ts";
import { parseRequest } from "./wire-request.ts";

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

test("a throttled invocation comes back when Lambda says so", async () => {
  const client = await clientOf((_, response) => {
    response.writeHead(429, { "x-amzn-errortype": "TooManyRequestsException", "retry-after": "7" }).end('{"message":"Rate Exceeded."}');
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 7_000 });
});

test.each([
  ["ResourceNotReadyException", 502],
  ["ResourceConflictException", 409],
  ["EC2ThrottledException", 502],
  ["ENINotReadyException", 502],
  ["SnapStartNotReadyException", 409],
])("a function that wakes (%s) is unavailable, for longer than a broken line", async (name, status) => {
  const client = await clientOf((_, response) => {
    response.writeHead(status, { "x-amzn-errortype": name }).end('{"message":"Not yet."}');
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 5_000 });
});

test.each<[string, RequestListener, number]>([
  ["is throttled", (_, response) => void response.writeHead(429, { "x-amzn-errortype": "TooManyRequestsException" }).end("{}"), 1],
  ["breaks before an answer", (request) => void request.socket.destroy(), 2],
  [
    "meets an internal error of Lambda",
    (_, response) => void response.writeHead(500, { "x-amzn-errortype": "ServiceException" }).end("{}"),
    2,
  ],
])("an invocation that %s is sent so many times", async (_, listener, times) => {
  let calls = 0;
  const client = await clientOf((request, response) => {
    calls += 1;
    listener(request, response);
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toBeInstanceOf(Failure);

  expect(calls).toBe(times);
});

test("silence is timeout, a caller who leaves is cancelled", async () => {
  const leaving = new AbortController();
  const silent = await clientOf(() => undefined);
  const left = await clientOf(() => leaving.abort());

  await expect(silent.run(REQUEST, { ...LIMITS, timeoutMs: 80 })).rejects.toMatchObject({ code: "timeout" });
  await expect(left.run(REQUEST, { ...LIMITS, signal: leaving.signal })).rejects.toMatchObject({ code: "cancelled" });
});

const EVENTS: GenerateEvent[] = [
  { kind: "begun", inputTokens: [1] },
  { kind: "text", choice: 0, text: " upon", tokens: 1 },
  { kind: "done", outputTokens: [1], queueMs: 0, runMs: 5 },
];
const GENERATION: GenerationCall = {
  ...REQUEST,
  body: { task: "generate", prompts: [{ kind: "text", text: "Once" }], n: 1, sampling: {}, stop: [] },
};

test("a generation comes through a streamed invocation, and its refusal too", async () => {
  const lines = [...EVENTS.map(encodeEvent)].join("");
  const client = await clientOf((request, response) => {
    expect(request.url).toBe("/2021-11-15/functions/weir-cpu/response-streaming-invocations");
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
    for (const chunk of [lines.slice(0, 20), lines.slice(20)]) response.write(eventStreamMessage("PayloadChunk", chunk));
    response.end(eventStreamMessage("InvokeComplete", "{}"));
  });
  const refusing = await clientOf((_, response) => {
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
    response.end(eventStreamMessage("PayloadChunk", encodeBreak(new Failure("overloaded", "Full."))));
  });

  expect(await Array.fromAsync(client.generate(GENERATION, LIMITS))).toEqual(EVENTS);
  await expect(Array.fromAsync(refusing.generate(GENERATION, LIMITS))).rejects.toMatchObject({ code: "overloaded" });
});

test("a function that dies in the middle of a generation is engine_failed", async () => {
  const client = await clientOf((_, response) => {
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
    response.write(eventStreamMessage("PayloadChunk", encodeEvent({ kind: "begun", inputTokens: [1] })));
    response.end(eventStreamMessage("InvokeComplete", '{"ErrorCode":"Runtime.ExitError","ErrorDetails":"exit status 137"}'));
  });

  await expect(Array.fromAsync(client.generate(GENERATION, LIMITS))).rejects.toMatchObject({ code: "engine_failed" });
});

/** One message of Amazon's event stream encoding: prelude, headers, payload, each sum a CRC-32. */
function eventStreamMessage(type: string, payload: string): Buffer {
  const contentType = type === "PayloadChunk" ? "application/octet-stream" : "application/json";
  const headers = Buffer.concat(
    [
      [":message-type", "event"],
      [":event-type", type],
      [":content-type", contentType],
    ].map(([name = "", value = ""]) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(value.length);
      return Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.of(7), length, Buffer.from(value)]);
    }),
  );
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(8);
  prelude.writeUInt32BE(16 + headers.length + body.length, 0);
  prelude.writeUInt32BE(headers.length, 4);
  const start = Buffer.concat([prelude, sum(prelude)]);
  const message = Buffer.concat([start, headers, body]);
  return Buffer.concat([message, sum(message)]);
}

function sum(bytes: Buffer): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(bytes));
  return crc;
}

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
