import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Failure } from "../base/failure.ts";
import { createHttpInferenceClient } from "./client.http.ts";
import type { GenerationCall, InferenceRequest } from "./contract.ts";
import type { GenerateEvent } from "./generation.ts";
import { encodeFailure, encodeResult } from "./wire.ts";
import { encodeBreak, encodeEvent } from "./wire-events.ts";
import { decodeRequest } from "./wire-request.ts";

const REQUEST: InferenceRequest = {
  requestId: "r1",
  tenant: "demo",
  model: "minilm",
  version: 1,
  manifestDigest: "a".repeat(64),
  dtype: "q8",
  body: { task: "embed", inputs: [{ kind: "text", text: "hello" }], overlong: "cut" },
};
const RESULT = encodeResult({
  body: { task: "embed", vectors: new Float32Array([0.5, -1]), dimensions: 2 },
  inputTokens: [3],
  queueMs: 0,
  runMs: 1,
});
const LIMITS = { signal: new AbortController().signal, timeoutMs: 5_000 };

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

test("a call brings the vectors back and tells the function its time", async () => {
  let timeoutMs = 0;
  const client = await clientOf(async (request, response) => {
    timeoutMs = Number(request.headers["weir-timeout-ms"]);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    expect(decodeRequest(Buffer.concat(chunks))).toEqual(REQUEST);
    response.end(RESULT);
  });

  const result = await client.run(REQUEST, LIMITS);

  expect(result.body).toEqual({ task: "embed", vectors: new Float32Array([0.5, -1]), dimensions: 2 });
  expect(timeoutMs).toBeGreaterThan(4_000);
  expect(timeoutMs).toBeLessThanOrEqual(5_000);
});

test("the function's own refusals keep their code", async () => {
  const client = await clientOf((_, response) => {
    response.writeHead(429).end(encodeFailure(new Failure("overloaded", "The queue is full.", { retryAfterMs: 300 })));
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 300 });
});

test("a connection that breaks before the answer is tried once more", async () => {
  let calls = 0;
  const client = await clientOf((request, response) => {
    calls += 1;
    if (calls === 1) request.socket.destroy();
    else response.end(RESULT);
  });

  await client.run(REQUEST, LIMITS);

  expect(calls).toBe(2);
});

test("a function that breaks off every time is engine_failed, after two attempts", async () => {
  let calls = 0;
  const client = await clientOf((request) => {
    calls += 1;
    request.socket.destroy();
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
  expect(calls).toBe(2);
});

test("an answer that breaks off in the middle is engine_failed and not tried again", async () => {
  let calls = 0;
  const client = await clientOf((request, response) => {
    calls += 1;
    response.writeHead(200, { "content-length": RESULT.length });
    response.write(RESULT.subarray(0, 8), () => request.socket.destroy());
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
  expect(calls).toBe(1);
});

test("calls beyond the connections are refused at once, and not those after them", async () => {
  const { promise: isHere, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  const held: RequestListener = async (_, response) => {
    arrive();
    await mayAnswer;
    response.end(RESULT);
  };
  const client = await clientOf(held, { connectionsMax: 1 });
  const first = client.run(REQUEST, LIMITS);
  await isHere;

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 1_000 });
  await expect(Array.fromAsync(client.generate(GENERATION, LIMITS))).rejects.toMatchObject({ code: "overloaded" });
  answer();
  await first;
  await expect(client.run(REQUEST, LIMITS)).resolves.toMatchObject({ inputTokens: [3] });
});

test("nobody listening is unavailable", async () => {
  const client = await clientOf(() => undefined);
  await opened.shift()?.();

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "unavailable" });
});

test("garbage with status 200 is engine_failed", async () => {
  const client = await clientOf((_, response) => void response.end("<html>hello</html>"));

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
});

test("an answer without end is cut off and engine_failed", async () => {
  const client = await clientOf((_, response) => {
    const chunk = Buffer.alloc(4 * 1024 ** 2);
    const pump = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", pump);
    pump();
  });

  await expect(client.run(REQUEST, LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
});

test("a function that is silent for longer than the call has is timeout, and its connection is closed", async () => {
  let closed = () => {};
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const client = await clientOf((request) => void request.socket.on("close", closed));

  await expect(client.run(REQUEST, { ...LIMITS, timeoutMs: 60 })).rejects.toMatchObject({ code: "timeout" });
  await isClosed;
});

test("a caller who leaves is cancelled, at once and before", async () => {
  const leaving = new AbortController();
  const client = await clientOf(() => leaving.abort());

  await expect(client.run(REQUEST, { ...LIMITS, signal: leaving.signal })).rejects.toMatchObject({ code: "cancelled" });
  await expect(client.run(REQUEST, { ...LIMITS, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
});

const GENERATION: GenerationCall = {
  ...REQUEST,
  body: { task: "generate", prompts: [{ kind: "text", text: "Once" }], n: 1, sampling: {}, stop: [] },
};
const EVENTS: GenerateEvent[] = [
  { kind: "begun", inputTokens: [1] },
  { kind: "text", choice: 0, text: " upon\na 👩‍👧", tokens: 2 },
  { kind: "finished", choice: 0, finish: { reason: "stop", stopText: "x" } },
  { kind: "done", outputTokens: [2], queueMs: 0, runMs: 5 },
];

test("a generation's events come one by one, however their bytes are cut", async () => {
  const client = await clientOf((_, response) => {
    const bytes = Buffer.from(EVENTS.map(encodeEvent).join(""));
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  });

  expect(await Array.fromAsync(client.generate(GENERATION, LIMITS))).toEqual(EVENTS);
});

test("a generation that is refused, breaks with a reason, or ends too early fails so", async () => {
  const refused = await clientOf((_, response) => {
    response.writeHead(429).end(encodeFailure(new Failure("overloaded", "Full.", { retryAfterMs: 300 })));
  });
  const broken = await clientOf((_, response) => {
    response.end(EVENTS.slice(0, 2).map(encodeEvent).join("") + encodeBreak(new Failure("timeout", "Too late.")));
  });
  const cut = await clientOf((_, response) => void response.end(EVENTS.slice(0, 3).map(encodeEvent).join("")));

  await expect(Array.fromAsync(refused.generate(GENERATION, LIMITS))).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 300 });
  await expect(Array.fromAsync(broken.generate(GENERATION, LIMITS))).rejects.toMatchObject({ code: "timeout", message: "Too late." });
  await expect(Array.fromAsync(cut.generate(GENERATION, LIMITS))).rejects.toMatchObject({ code: "engine_failed" });
});

test("whoever stops reading a generation ends the request behind it", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const client = await clientOf((_, response) => {
    response.once("close", resolve).write(EVENTS.slice(0, 1).map(encodeEvent).join(""));
  });

  for await (const event of client.generate(GENERATION, LIMITS)) {
    expect(event.kind).toBe("begun");
    break;
  }

  await left;
});

test("hundreds of open generations leave a connection for a short call", async () => {
  const client = await clientOf(async (request, response) => {
    const call = decodeRequest(Buffer.concat(await Array.fromAsync(request)));
    if (call.body.task === "generate") response.write(EVENTS.slice(0, 1).map(encodeEvent).join(""));
    else response.end(RESULT);
  });
  const open = Array.from({ length: 300 }, () => client.generate(GENERATION, LIMITS)[Symbol.asyncIterator]());
  await Promise.all(open.map((events) => events.next()));

  await expect(client.run(REQUEST, LIMITS)).resolves.toMatchObject({ inputTokens: [3] });
  await Promise.all(open.map((events) => events.return?.()));
});

test("a generation's time is over in its middle too", async () => {
  const client = await clientOf((_, response) => void response.write(EVENTS.slice(0, 2).map(encodeEvent).join("")));

  const events = Array.fromAsync(client.generate(GENERATION, { ...LIMITS, timeoutMs: 80 }));

  await expect(events).rejects.toMatchObject({ code: "timeout" });
});

async function clientOf(listener: RequestListener, settings: { connectionsMax?: number } = {}) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const client = createHttpInferenceClient({ url: `http://127.0.0.1:${port}`, ...settings });
  opened.push(
    () => closeServer(server),
    () => client.close(),
  );
  return client;
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
