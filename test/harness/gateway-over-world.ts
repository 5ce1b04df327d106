import { once } from "node:events";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { createApp } from "../../edge/app.ts";
import { compose } from "../../edge/compose.ts";
import { readConfig } from "../../edge/config.ts";
import { patientDynamo } from "../../shared/dynamo/client.ts";
import type { Scope } from "../../shared/keys/key.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { portOf } from "./dynamo.ts";
import { storeKey } from "./gateway.ts";
import type { InvoicingWorld } from "./invoicing.ts";

export type GatewayOverWorld = {
  readonly url: string;
  readonly operatorKey: string;
  readonly keyOf: (tenant: string, ...scopes: Scope[]) => Promise<string>;
  readonly close: () => Promise<void>;
};

/** The gateway's own composition over a world's store, listening for clients that need a URL. */
export async function gatewayOver(world: InvoicingWorld): Promise<GatewayOverWorld> {
  const config = readConfig({
    WEIR_PEPPERS: JSON.stringify({ 1: "a pepper for tests only" }),
    WEIR_POOLS: "[]",
    WEIR_INTAKE: JSON.stringify({ kind: "http", url: "http://127.0.0.1:9" }),
  });
  const composition = compose(config, { store: { dynamo: patientDynamo(world.lean, "weir"), lean: world.lean }, log: () => {} });
  // Months after the machine's own time are asked for.
  const clock = { nowMs: () => Date.UTC(2027, 2, 3) };
  const deps = { ...composition.deps, clock, documents: world.deps.documents };
  const server = createAdaptorServer({ fetch: createApp(deps).fetch }) as Server; // plain HTTP/1.1 unless asked otherwise
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const keyOf = (tenant: string, ...scopes: Scope[]) => storeKey(deps, tenant, scopes);
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    operatorKey: await keyOf(OPERATORS, "operate"),
    keyOf,
    close: async () => {
      server.close().closeAllConnections();
      await composition.close();
    },
  };
}
