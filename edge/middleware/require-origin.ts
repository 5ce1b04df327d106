import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";

export const ORIGIN_HEADER = "weir-origin";

/** Behind CloudFront, only CloudFront may call: it adds one of the origin secrets to each request. With none configured, anybody may. */
export function requireOrigin(deps: { readonly config: Pick<Deps["config"], "WEIR_ORIGIN_SECRETS"> }): MiddlewareHandler<EdgeEnv> {
  const expected = deps.config.WEIR_ORIGIN_SECRETS.map(digestOf);
  return async function requireOrigin(c, next) {
    if (expected.length > 0 && !isOneOf(expected, c.req.header(ORIGIN_HEADER) ?? "")) {
      throw new Failure("forbidden", "Send requests to the gateway's public address.");
    }
    await next();
  };
}

/** Compares digests, all of them: the time that it takes tells neither the secret's length nor how much of it was right. */
function isOneOf(expected: readonly Buffer[], given: string): boolean {
  const digest = digestOf(given);
  return expected.filter((each) => timingSafeEqual(each, digest)).length > 0;
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
