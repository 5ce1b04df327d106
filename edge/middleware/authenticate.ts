import type { MiddlewareHandler } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import { parseKeyText } from "../../shared/keys/key.ts";
import type { Right } from "../../shared/people/rights.ts";
import { createCallerAddress } from "../caller-address.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";

/** Finds out who calls. Form and checksum are checked first, so that a garbled key costs no I/O; every refusal is one message. */
export function authenticate(deps: Pick<Deps, "directory" | "config">): MiddlewareHandler<EdgeEnv> {
  const callerAddress = createCallerAddress(deps.config.WEIR_TRUSTED_PROXIES);
  return async function authenticate(c, next) {
    const key = parseKeyText(keyTextOf(c));
    const principal = key && (await deps.directory.find(key, () => callerAddress(c)));
    if (principal === undefined) throw new Failure("unauthenticated", "The API key is missing or not valid.");
    c.set("principal", principal);
    await next();
  };
}

/** Refuses keys that have none of these scopes; the first is the one that is named. */
export function requireScope(...scopes: [Right, ...Right[]]): MiddlewareHandler<EdgeEnv> {
  return async function requireScope(c, next) {
    const held = c.get("principal").scopes;
    if (!scopes.some((scope) => held.has(scope))) throw new Failure("forbidden", `This API key lacks the scope '${scopes[0]}'.`);
    await next();
  };
}

function keyTextOf(c: EdgeContext): string {
  const authorization = c.req.header("authorization") ?? "";
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? c.req.header("x-api-key") ?? "";
}
