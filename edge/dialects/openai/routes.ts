import { Hono } from "hono";
import { ownBalanceRoutes } from "../../balance-routes.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeEnv } from "../../env.ts";
import { ownInvoiceRoutes } from "../../invoices/own-routes.ts";
import { ownKeyRoutes } from "../../key-routes.ts";
import { limitRoutes } from "../../limit-routes.ts";
import { requireScope } from "../../middleware/authenticate.ts";
import { priceQuoteRoutes } from "../../price-routes.ts";
import { usageExportRoutes } from "../../usage-export.ts";
import { usageRoutes } from "../../usage-routes.ts";
import { ownWebhookRoutes } from "../../webhook-routes.ts";
import { answerCompletion } from "./completions.ts";
import { answerEmbeddings } from "./embeddings.ts";
import { answerModel, answerModels } from "./models.ts";
import { answerRerank } from "./rerank.ts";

/** `/v1`: OpenAI's API, and a tenant's own figures beside it. */
export function openaiRoutes(deps: Deps) {
  const infer = requireScope("infer");
  return new Hono<EdgeEnv>()
    .get("/models", infer, answerModels(deps))
    .get("/models/:id{.+}", infer, answerModel(deps))
    .post("/embeddings", infer, answerEmbeddings(deps))
    .post("/completions", infer, answerCompletion(deps, "/completions"))
    .post("/chat/completions", infer, answerCompletion(deps, "/chat/completions"))
    .post("/rerank", infer, answerRerank(deps))
    .route("/keys", ownKeyRoutes(deps))
    .route("/usage", usageRoutes(deps))
    .route("/usage", usageExportRoutes(deps))
    .route("/limits", limitRoutes(deps))
    .route("/price", priceQuoteRoutes(deps))
    .route("/balance", ownBalanceRoutes(deps))
    .route("/invoices", ownInvoiceRoutes(deps))
    .route("/webhooks", ownWebhookRoutes(deps));
}
