import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { portOf } from "./dynamo.ts";

export type TestLambdaApi = {
  readonly endpoint: string;
  /** The asynchronous events that functions were given, in order. */
  readonly events: readonly { readonly functionName: string; readonly payload: unknown }[];
  readonly close: () => Promise<void>;
};

/** A server that takes asynchronous invocations as the Lambda API does, and runs nothing. */
export async function startLambdaApi(): Promise<TestLambdaApi> {
  const events: { functionName: string; payload: unknown }[] = [];
  const server = createServer(async (request, response) => {
    const [, functionName] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url ?? "") ?? [];
    const payload = await json(request).catch(() => undefined);
    const isEvent = request.method === "POST" && request.headers["x-amz-invocation-type"] === "Event";
    if (functionName !== undefined && isEvent) events.push({ functionName, payload });
    response.writeHead(functionName !== undefined && isEvent ? 202 : 400).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${portOf(server.address())}`,
    events,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
