import { once } from "node:events";
import type { AddressInfo } from "node:net";
import dynalite from "dynalite";
import { createDynamo, type Dynamo } from "../../shared/dynamo/client.ts";
import { createTables } from "../../shared/dynamo/create-tables.ts";

export type TestDynamo = {
  readonly dynamo: Dynamo;
  readonly endpoint: string;
  /** Stops the server; what it held is gone. */
  readonly close: () => Promise<void>;
};

/** A real DynamoDB engine in memory, in this process, with Weir's tables. */
export async function startDynamo(): Promise<TestDynamo> {
  const server = dynalite({ createTableMs: 0 }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${portOf(server.address())}`;
  const dynamo = createDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint });
  await createTables(dynamo);
  return {
    dynamo,
    endpoint,
    close: async () => {
      dynamo.client.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return address.port;
}
