import { Failure } from "../../shared/base/failure.ts";
import type { Deps } from "../deps.ts";
import type { Call } from "./serve.ts";

/** What a stream may say of what broke it; undefined for our own fault. In-band no failed answer passes the place where those are logged, so it is logged here. */
export function toldFailure({ log }: Pick<Deps, "log">, { requestId }: Pick<Call, "requestId">, cause: unknown): Failure | undefined {
  if (!(cause instanceof Failure)) {
    log("error", "a stream failed by our fault", { requestId, error: cause });
    return undefined;
  }
  if (cause.status >= 500) log("warn", cause.message, { requestId, code: cause.code, error: cause.cause });
  return cause;
}
