import type { MiddlewareHandler } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { bodyTooLarge } from "../http.ts";
import { BODY_BYTES_MAX } from "../limits.ts";

/** The Open Inference Protocol's clients compress; its dialect inflates within the same limit. */
const INFLATING_PATH = "/v2/";

/** Refuses a body that says that it is too large before any of it is read; one that does not say is counted as it is read. */
export function capBody(): MiddlewareHandler<EdgeEnv> {
  return async function capBody(c, next) {
    const stated = c.req.header("content-length");
    if (stated !== undefined && Number(stated) > BODY_BYTES_MAX) throw bodyTooLarge();
    if (isEncoded(c.req.header("content-encoding")) && !c.req.path.startsWith(INFLATING_PATH))
      throw new Failure("unsupported_media", "Compressed bodies are not supported here.");
    await next();
  };
}

function isEncoded(encoding: string | undefined): boolean {
  return encoding !== undefined && encoding.toLowerCase() !== "identity";
}
