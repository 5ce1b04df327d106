import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { DeleteTableCommand, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import { createTables } from "../../shared/dynamo/create-tables.ts";
import { createSdkDynamo, type SdkDynamo } from "../../shared/dynamo/sdk.ts";

export type TestDynamo = {
  readonly dynamo: SdkDynamo;
  readonly endpoint: string;
  /** Stops the server; what it held is gone. */
  readonly close: () => Promise<void>;
};

/** A real DynamoDB engine with Weir's tables, all empty: dynalite in memory, in this process, unless the environment names another one. */
export async function startDynamo(): Promise<TestDynamo> {
  const named = process.env["WEIR_TEST_DYNAMO_ENDPOINT"];
  return named === undefined ? startDynalite() : useEngine(named);
}

/** An engine that runs already and that tests use one after the other: whatever of Weir's it holds is thrown away first. */
async function useEngine(endpoint: string): Promise<TestDynamo> {
  const dynamo = createSdkDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint });
  const { TableNames = [] } = await dynamo.client.send(new ListTablesCommand());
  const ours = TableNames.filter((name) => name.startsWith("weir-"));
  for (const TableName of ours) await dynamo.client.send(new DeleteTableCommand({ TableName }));
  await createTables(dynamo);
  return { dynamo, endpoint, close: async () => dynamo.close() };
}

/** Dynalite, whatever the environment says. */
export async function startDynalite(): Promise<TestDynamo> {
  const server = dynalite({ createTableMs: 0 }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${portOf(server.address())}`;
  const dynamo = createSdkDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint });
  await createTables(dynamo);
  return {
    dynamo,
    endpoint,
    close: async () => {
      await dynamo.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return address.port;
}
