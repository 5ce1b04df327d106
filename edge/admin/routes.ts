import { Hono } from "hono";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { authorizeAdmin } from "../middleware/authorize-admin.ts";
import { webhookRoutes } from "../own/webhook-routes.ts";
import { auditRoutes } from "./audit.ts";
import { balanceRoutes } from "./balances.ts";
import { invoiceRoutes } from "./invoices.ts";
import { keyRoutes } from "./keys.ts";
import { modelRoutes } from "./models.ts";
import { peopleRoutes } from "./people.ts";
import { priceRoutes } from "./prices.ts";
import { sellerRoutes } from "./seller.ts";
import { splitRoutes } from "./splits.ts";
import { statusRoutes } from "./status.ts";
import { tenantRoutes } from "./tenants.ts";

/** `/admin`: the operators' JSON API. */
export function adminRoutes(deps: Deps) {
  return new Hono<EdgeEnv>()
    .use(authorizeAdmin())
    .route("/status", statusRoutes(deps))
    .route("/tenants", tenantRoutes(deps))
    .route("/audit", auditRoutes(deps))
    .route("/people", peopleRoutes(deps))
    .route("/keys", keyRoutes(deps))
    .route("/models", modelRoutes(deps))
    .route("/splits", splitRoutes(deps))
    .route("/prices", priceRoutes(deps))
    .route("/balances", balanceRoutes(deps))
    .route("/invoices", invoiceRoutes(deps))
    .route("/seller", sellerRoutes(deps))
    .route("/webhooks", webhookRoutes(deps));
}
