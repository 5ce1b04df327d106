import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Hono } from "hono";
import { Failure } from "../shared/base/failure.ts";
import { auditPaths } from "./admin/audit.ts";
import { balancePaths } from "./admin/balances.ts";
import { invoicePaths } from "./admin/invoices.ts";
import { keyPaths } from "./admin/keys.ts";
import { modelPaths } from "./admin/models.ts";
import { peoplePaths } from "./admin/people.ts";
import { pricePaths } from "./admin/prices.ts";
import { sellerPaths } from "./admin/seller.ts";
import { splitPaths } from "./admin/splits.ts";
import { statusPaths } from "./admin/status.ts";
import { tenantPaths } from "./admin/tenants.ts";
import type { Deps } from "./deps.ts";
import { hfPaths } from "./dialects/hf/paths.ts";
import { oipPaths } from "./dialects/oip/paths.ts";
import { openaiPaths } from "./dialects/openai/paths.ts";
import type { EdgeEnv } from "./env.ts";
import { healthPaths } from "./health.ts";
import { metricsPaths } from "./metrics.ts";
import { assembleOpenApi, type OpenApi } from "./openapi.ts";
import { ownBalancePaths } from "./own/balance.ts";
import { ownInvoicePaths } from "./own/invoices.ts";
import { ownKeyPaths } from "./own/keys.ts";
import { limitPaths } from "./own/limits.ts";
import { priceQuotePaths } from "./own/price.ts";
import { usagePaths } from "./own/usage.ts";
import { usageExportPaths } from "./own/usage-export.ts";
import { ownWebhookPaths, webhookPaths } from "./own/webhook-routes.ts";
import { receiptPaths } from "./receipt-routes.ts";
import { VERSION } from "./version.ts";

const GROUPS = [
  openaiPaths,
  hfPaths,
  oipPaths,
  usagePaths,
  usageExportPaths,
  limitPaths,
  priceQuotePaths,
  tenantPaths,
  keyPaths,
  modelPaths,
  splitPaths,
  pricePaths,
  balancePaths,
  ownBalancePaths,
  webhookPaths,
  ownWebhookPaths,
  ownKeyPaths,
  peoplePaths,
  invoicePaths,
  ownInvoicePaths,
  sellerPaths,
  auditPaths,
  statusPaths,
  metricsPaths,
  receiptPaths,
  healthPaths,
];

/** What /docs needs of swagger-ui-dist, served from our own origin: it works offline and tells nobody who reads it. */
const ASSETS: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
};

/** Only our own files run and only our own origin is asked; swagger-ui sets styles on elements and draws its icons from data: URLs. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Weir API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="pages"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#pages", deepLinking: true, validatorUrl: null });\n`;

/** `/openapi.json`, and `/docs`, which shows it. Neither needs a key: they say nothing that the sources do not. */
export function docsRoutes(deps: Pick<Deps, "config">) {
  let document: OpenApi | undefined;
  return new Hono<EdgeEnv>()
    .get("/openapi.json", (c) => {
      // Assembled when first asked for, so that no gateway starts slower for it.
      document ??= assembleOpenApi(GROUPS, VERSION);
      return c.json(document);
    })
    .get("/docs", (c) => c.html(PAGE, 200, { "Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff" }))
    .get("/docs/", (c) => c.redirect("/docs", 301))
    .get("/docs/start.js", (c) =>
      c.body(START, 200, { "Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff" }),
    )
    .get("/docs/:file", async (c) => {
      const file = c.req.param("file");
      const bytes = await readAsset(deps.config.WEIR_DOCS_ASSETS, file);
      return c.body(bytes, 200, {
        "Content-Type": ASSETS[file] ?? "",
        "Cache-Control": "public, max-age=3600",
        "X-Content-Type-Options": "nosniff",
      });
    });
}

async function readAsset(folder: string | undefined, file: string): Promise<Uint8Array<ArrayBuffer>> {
  if (!Object.hasOwn(ASSETS, file)) throw new Failure("not_found", `There is nothing at /docs/${file.slice(0, 100)}.`);
  if (folder === undefined) throw new Failure("not_found", "This gateway has no files for /docs; /openapi.json is there.");
  return new Uint8Array(await readFile(join(folder, file)));
}
