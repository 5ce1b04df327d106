import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { portOf } from "../../test/harness/dynamo.ts";
import type { Credentials } from "../aws/credentials.ts";
import { systemClock } from "../base/clock.ts";
import { CONTROL_TIMEOUT_MS, createDynamo, type Dynamo } from "./client.ts";

const SIGNATURE_MS_MAX = 5 * 60_000;
const OWN: Credentials = { accessKeyId: "own", secretAccessKey: "secret", sessionToken: "session" };

type Seen = { readonly authorization: string; readonly token: string | undefined };
let server: Server;
let dynamo: Dynamo;
const seen: Seen[] = [];
afterEach(async () => {
  seen.length = 0;
  await dynamo.lean.close();
  server.closeAllConnections();
  server.close();
});

/** A service that answers as it is told, once it has the whole of a call. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void, clock = systemClock) {
  server = createServer(async (request, response) => {
    for await (const _ of request);
    const { authorization = "", "x-amz-security-token": token } = request.headers;
    seen.push({ authorization, token: token?.toString() });
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${portOf(server.address())}`;
  dynamo = createDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint, credentials: async () => OWN }, clock);
}

function refuse(response: ServerResponse, status: number, name: string) {
  response.writeHead(status).end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: "no" }));
}

const read = () => dynamo.lean.call("GetItem", { TableName: "weir-control", Key: { pk: { S: "a" } } }, CONTROL_TIMEOUT_MS);

test("calls are signed with what the process was given, its session with them", async () => {
  await serve((_, response) => response.end("{}"));

  await read();

  expect(seen).toEqual([
    { authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=own\/\d{8}\/eu-central-1\/dynamodb\//), token: "session" },
  ]);
});

test.each([-1, 1])("a machine whose clock is ten minutes off is refused once, and signs by the store's from then on (%i)", async (sign) => {
  const clock = { nowMs: () => Date.now() + sign * 10 * 60_000 };
  await serve((request, response) => {
    const [, date = "", time = ""] = /^(\d{8})T(\d{6})Z$/.exec(String(request.headers["x-amz-date"])) ?? [];
    const atMs = Date.parse(`${date.replace(/(....)(..)/, "$1-$2-")}T${time.replace(/(..)(..)/, "$1:$2:")}Z`);
    if (Math.abs(atMs - Date.now()) > SIGNATURE_MS_MAX) refuse(response, 400, "InvalidSignatureException");
    else response.end("{}");
  }, clock);

  await read();
  await read();

  expect(seen).toHaveLength(3);
});

test("what the store cannot do now is asked three times in all, and is unavailable then", async () => {
  await serve((_, response) => refuse(response, 400, "ProvisionedThroughputExceededException"));

  await expect(read()).rejects.toMatchObject({ code: "unavailable" });

  expect(seen).toHaveLength(3);
});

test("what the store refuses for good is asked once", async () => {
  await serve((_, response) => refuse(response, 400, "ValidationException"));

  await expect(read()).rejects.toMatchObject({ name: "ValidationException" });

  expect(seen).toHaveLength(1);
});

test("a connection that breaks is another attempt", async () => {
  let calls = 0;
  await serve((request, response) => {
    calls += 1;
    if (calls < 3) request.socket.destroy();
    else response.end('{"Count":1}');
  });

  await expect(read()).resolves.toEqual({ Count: 1 });
});
