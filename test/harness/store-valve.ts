import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

/** `lost`: the store does what it is asked, but the answer never arrives. */
export type StoreState = "open" | "closed" | "throttled" | "lost" | "stuck";

/** Stands before a store and can fail as stores and networks do. */
export type StoreValve = {
  readonly endpoint: string;
  /** What happens from now on to calls of an operation (`BatchWriteItem`, or of one table, `PutItem weir-ledger` or `weir-ledger`) or of all. */
  readonly turn: (state: StoreState, operation?: string) => void;
  /** What happens to the next call of an operation alone. */
  readonly once: (state: StoreState, operation: string) => void;
  /** The next call of an operation is not passed on until it is let go. */
  readonly hold: (operation: string) => { readonly letGo: () => void };
  /** How often an operation has been asked for. */
  readonly callsOf: (operation: string) => number;
  readonly close: () => Promise<void>;
};

const THROTTLED = { __type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", message: "slow down" };

export async function startStoreValve(storeEndpoint: string): Promise<StoreValve> {
  const calls = new Map<string, number>();
  const singles = new Map<string, StoreState>();
  const held = new Map<string, Promise<void>>();
  let turned: { state: StoreState; operation: string | undefined } = { state: "open", operation: undefined };
  const server = createServer(async (incoming, outgoing) => {
    const body = await buffer(incoming);
    const names = namesOf(incoming, body);
    for (const name of names) calls.set(name, (calls.get(name) ?? 0) + 1);
    const isMeant = turned.operation === undefined || names.includes(turned.operation);
    const single = names.find((name) => singles.has(name)) ?? "";
    const state = singles.get(single) ?? (isMeant ? turned.state : "open");
    singles.delete(single);
    const holding = names.find((name) => held.has(name)) ?? "";
    const untilLetGo = held.get(holding);
    held.delete(holding);
    await untilLetGo;
    await pass(storeEndpoint, { incoming, outgoing, body, state });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    endpoint: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    turn(state, operation) {
      turned = { state, operation };
    },
    once: (state, operation) => singles.set(operation, state),
    hold(operation) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(operation, promise);
      return { letGo: resolve };
    },
    callsOf: (operation) => calls.get(operation) ?? 0,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** `PutItem`, `PutItem weir-ledger` and `weir-ledger`. */
function namesOf(incoming: IncomingMessage, body: Buffer): string[] {
  const operation = String(incoming.headers["x-amz-target"]).split(".").at(-1) ?? "";
  const { TableName, RequestItems = {} } = JSON.parse(body.toString() || "{}") as { TableName?: string; RequestItems?: object }; // DynamoDB's own forms
  const tables = [TableName ?? [], Object.keys(RequestItems)].flat();
  return [operation, ...tables.flatMap((table) => [table, `${operation} ${table}`])];
}

type Call = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse; readonly body: Buffer; readonly state: StoreState };

async function pass(endpoint: string, { incoming, outgoing, body, state }: Call) {
  if (state === "stuck") return;
  if (state === "closed") return void incoming.socket.destroy();
  if (state === "throttled") return void outgoing.writeHead(400).end(JSON.stringify(THROTTLED));
  const onward = request(endpoint, { method: "POST", headers: incoming.headers }).end(body);
  const [answer] = (await once(onward, "response")) as [IncomingMessage]; // what a request emits as its response
  const bytes = await buffer(answer);
  if (state === "lost") return void incoming.socket.destroy();
  outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(bytes);
}
