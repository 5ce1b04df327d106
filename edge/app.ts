import { Hono } from "hono";
import { adminRoutes } from "./admin/routes.ts";
import type { Deps } from "./deps.ts";
import { hfRoutes } from "./dialects/hf/routes.ts";
import { oipHealthRoutes, oipRoutes } from "./dialects/oip/routes.ts";
import { openaiRoutes } from "./dialects/openai/routes.ts";
import { docsRoutes } from "./docs.ts";
import type { EdgeEnv } from "./env.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import { answerFailure, answerNotFound } from "./middleware/answer-failure.ts";
import { authenticate } from "./middleware/authenticate.ts";
import { capBody } from "./middleware/cap-body.ts";
import { crossOrigin } from "./middleware/cross-origin.ts";
import { holdBytes } from "./middleware/hold-bytes.ts";
import { limitRate } from "./middleware/limit-rate.ts";
import { requireOrigin } from "./middleware/require-origin.ts";
import { stampRequest } from "./middleware/stamp-request.ts";
import { ownRoutes } from "./own/routes.ts";
import { receiptRoutes } from "./receipt-routes.ts";

/** The gateway's table of contents. */
export function createApp(deps: Deps) {
  return new Hono<EdgeEnv>({ strict: false }) // a slash at the end changes nothing: the protocol's own documents disagree about `/v2`
    .onError(answerFailure(deps))
    .notFound(answerNotFound())
    .use(stampRequest(deps), requireOrigin(deps), crossOrigin(), capBody())
    .route("/health", healthRoutes(deps))
    .route("/v2/health", oipHealthRoutes(deps))
    .route("/.well-known", receiptRoutes(deps))
    .route("/", docsRoutes(deps))
    .use(authenticate(deps), limitRate(deps), holdBytes()) // everything below needs a key
    .route("/v1", openaiRoutes(deps))
    .route("/v1", ownRoutes(deps))
    .route("/v2", oipRoutes(deps))
    .route("/hf", hfRoutes(deps))
    .route("/admin", adminRoutes(deps))
    .route("/metrics", metricsRoutes(deps));
}
