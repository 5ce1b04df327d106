import { once } from "node:events";
import { createServer } from "node:http";
import { portOf } from "./dynamo.ts";

export type Received = { readonly headers: Record<string, string>; readonly body: string };

/** Somebody's webhook endpoint: keeps what it got and answers what it was told. */
export async function startReceiver() {
  const received: Received[] = [];
  const reply = { status: 200, location: "", body: "ok", isSilent: false };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    received.push({ headers: request.headers as Record<string, string>, body }); // none of those that are sent here come twice
    if (reply.isSilent) return;
    response.writeHead(reply.status, reply.location === "" ? {} : { location: reply.location }).end(reply.body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server.address()),
    received,
    reply,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
