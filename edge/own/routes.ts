import { Hono } from "hono";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { limitReports } from "../middleware/limit-reports.ts";
import { ownBalanceRoutes } from "./balance.ts";
import { ownInvoiceRoutes } from "./invoices.ts";
import { ownKeyRoutes } from "./keys.ts";
import { limitRoutes } from "./limits.ts";
import { priceQuoteRoutes } from "./price.ts";
import { usageRoutes } from "./usage.ts";
import { usageExportRoutes } from "./usage-export.ts";
import { ownWebhookRoutes } from "./webhook-routes.ts";

/** `/v1`, beside OpenAI's API: what is a tenant's own. */
export function ownRoutes(deps: Deps) {
  return new Hono<EdgeEnv>()
    .route("/keys", ownKeyRoutes(deps))
    .use("/usage/*", limitReports())
    .route("/usage", usageRoutes(deps))
    .route("/usage", usageExportRoutes(deps))
    .route("/limits", limitRoutes(deps))
    .route("/price", priceQuoteRoutes(deps))
    .route("/balance", ownBalanceRoutes(deps))
    .route("/invoices", ownInvoiceRoutes(deps))
    .route("/webhooks", ownWebhookRoutes(deps));
}
