import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { portOf, startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";

let dynamo: TestDynamo;
let s3: TestS3;
let folder: string;
beforeAll(async () => {
  [dynamo, s3] = [await startDynamo(), await startS3()];
  folder = await mkdtemp(join(tmpdir(), "weir-test-"));
});
afterAll(() => Promise.all([dynamo.close(), s3.close(), rm(folder, { recursive: true })]));

function start(main: string, environment: NodeJS.ProcessEnv): ChildProcess {
  const env = {
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    WEIR_DYNAMO_ENDPOINT: dynamo.endpoint,
    WEIR_S3_ENDPOINT: s3.settings.endpoint,
    WEIR_WORK_DIR: join(folder, "work"),
    ...environment,
  };
  return fork(join(import.meta.dirname, main), { env, execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
}

async function startServer() {
  const intake = start("main.node.ts", { PORT: "0" });
  const [message] = await once(intake, "message");
  const { port } = z.object({ ready: z.literal(true), port: z.int() }).parse(message);
  return { intake, url: `http://127.0.0.1:${port}` };
}

test("the server says where it listens, takes jobs, and ends when told to", async () => {
  const { intake, url } = await startServer();

  const ping = await fetch(`${url}/ping`);
  const taken = await fetch(`${url}/invocations`, { method: "POST", body: '{"model":"m","number":1}' });
  intake.kill("SIGTERM");

  expect([ping.status, taken.status]).toEqual([200, 202]);
  expect(await once(intake, "exit")).toEqual([0, null]);
});

test("the server does not outlive its parent", async () => {
  const { intake } = await startServer();

  intake.disconnect();

  expect(await once(intake, "exit")).toEqual([0, null]);
});

test("on Lambda, a job is an event", async () => {
  const answered = Promise.withResolvers<string>();
  const events = [{ "lambda-runtime-aws-request-id": "id", "lambda-runtime-deadline-ms": String(Date.now() + 60_000) }];
  const runtimeApi = createServer(async (request, response) => {
    const headers = request.method === "GET" ? events.shift() : undefined;
    if (headers !== undefined) response.writeHead(200, headers).end('{"model":"nobody","number":1}');
    if (request.method === "POST") answered.resolve(`${request.url} ${await text(request)}`);
  }).listen(0, "127.0.0.1");
  await once(runtimeApi, "listening");
  const intake = start("main.lambda.ts", { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${portOf(runtimeApi.address())}` });

  expect(await answered.promise).toBe('/2018-06-01/runtime/invocation/id/response {"model":"nobody","number":1}');

  intake.kill("SIGKILL");
  runtimeApi.closeAllConnections();
  runtimeApi.close();
});
