import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import type { Principal } from "../shared/keys/principal.ts";

/** What handlers find in their context. On Node the socket's own objects are there too; under `app.request()` they are not. */
export type EdgeEnv = {
  Bindings: { readonly incoming?: IncomingMessage; readonly outgoing?: ServerResponse };
  Variables: {
    requestId: string;
    acceptedAtMs: number;
    principal: Principal;
  };
};

export type EdgeContext = Context<EdgeEnv>;
