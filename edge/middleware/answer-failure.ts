import type { ErrorHandler, NotFoundHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { Failure } from "../../shared/base/failure.ts";
import type { Deps } from "../deps.ts";
import { renderHfFailure } from "../dialects/hf/failure.ts";
import { renderOipFailure } from "../dialects/oip/failure.ts";
import { renderOpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { PROBLEM_TYPE, problemOf } from "../problem.ts";

/** Turns whatever was thrown into an answer in the caller's dialect, which the path tells. */
export function answerFailure(deps: Pick<Deps, "log">): ErrorHandler<EdgeEnv> {
  return function answerFailure(error, c) {
    const requestId = c.get("requestId");
    const failure = error instanceof Failure ? error : undefined;
    if (failure === undefined) deps.log("error", "a request failed by our fault", { requestId, path: c.req.path, error });
    else if (failure.status >= 500) deps.log("warn", failure.message, { requestId, code: failure.code, error: failure.cause });
    if (failure?.retryAfterMs !== undefined) c.header("Retry-After", String(Math.max(1, Math.ceil(failure.retryAfterMs / 1000))));
    if (failure?.code === "unauthenticated") c.header("WWW-Authenticate", "Bearer");
    // 499 is nginx's word for a caller who left: nobody reads it, but the logs do.
    const status = (failure?.status ?? 500) as ContentfulStatusCode; // the closed table in shared/base/failure.ts holds no bodiless status
    const answer = rendererFor(c.req.path)(failure, requestId);
    const problem = failure && problemOf(failure);
    return problem === undefined ? c.json(answer, status) : c.json({ ...problem, ...answer }, status, { "content-type": PROBLEM_TYPE });
  };
}

export function answerNotFound(): NotFoundHandler<EdgeEnv> {
  return function answerNotFound(c) {
    throw new Failure("not_found", `There is nothing at ${c.req.method} ${c.req.path.slice(0, 200)}.`);
  };
}

/** How a failure looks in a dialect; without one, something broke on our side and only the request id is told. */
export type FailureRenderer = (failure: Failure | undefined, requestId: string) => Record<string, unknown>;

function rendererFor(path: string): FailureRenderer {
  if (path.startsWith("/v1")) return renderOpenaiFailure;
  if (path.startsWith("/v2")) return renderOipFailure;
  if (path.startsWith("/hf")) return renderHfFailure;
  return renderPlainFailure;
}

function renderPlainFailure(failure: Failure | undefined, requestId: string) {
  const { code = "internal", message = "Something failed on our side.", field } = failure ?? {};
  return { error: { code, message, ...(field === undefined ? {} : { field }), requestId } };
}
