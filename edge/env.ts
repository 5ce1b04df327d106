import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import type { Principal } from "../shared/keys/principal.ts";
import type { Hold } from "./held-bytes.ts";

/** What handlers find in their context. On Node the socket's own objects are there too; under `app.request()` they are not. */
export type EdgeEnv = {
  Bindings: { readonly incoming?: IncomingMessage; readonly outgoing?: ServerResponse };
  Variables: {
    requestId: string;
    acceptedAtMs: number;
    principal: Principal;
    /** What this request takes of the process's memory. */
    hold: Hold;
    /** Headers that middleware wants to say; see `tell` in http.ts. */
    told: Record<string, string>;
    /** The answer carries them already. */
    isTold: boolean;
  };
};

export type EdgeContext = Context<EdgeEnv>;
