import type { Right } from "../../shared/people/rights.ts";

/** Something of a tenant that a path or a body names. `matrix.test.ts` makes one of another tenant, and knows an id that nobody has. */
export type Thing = "model" | "key" | "invoice" | "tenant" | "webhook";

/** Who may ask a route, and what of a tenant it names. */
export type Row = {
  /** Any of these rights opens it; everybody may ask where it says so. */
  readonly opens: readonly Right[] | "everybody";
  /** Named by the path's first parameter, or by the body: another tenant's must look as if it did not exist. */
  readonly names?: Thing;
  readonly body?: (name: string) => unknown;
};

const everybody: Row = { opens: "everybody" };
const infer: Row = { opens: ["infer"] };
const inferModel: Row = { ...infer, names: "model" };
const inferModelInBody = (body: object): Row => ({ ...inferModel, body: (model) => ({ model, ...body }) });
const usage: Row = { opens: ["usage"] };
const keys: Row = { opens: ["keys"] };
const ownKey: Row = { ...keys, names: "key" };
const reads = (part: Right): Row => ({ opens: [part, "view"] });
const changes = (part: Right): Row => ({ opens: [part] });

/** A tenant's own invoices, which finance sees among the operators' own, too. */
const ownInvoices: Row = { opens: ["usage", "billing"] };
const DOCUMENTS = ["/json", "/csv", "/pdf"];

const TEXTS = { inputs: ["x"] };
const TENSORS = { inputs: [{ name: "text", datatype: "BYTES", shape: [1], data: ["x"] }] };

/** Every route of the gateway, by hand: what is written here is what is promised, whatever the code believes. */
export const ROWS: Readonly<Record<string, Row>> = {
  "GET /health/live": everybody,
  "GET /health/ready": everybody,
  "GET /v2/health/live": everybody,
  "GET /v2/health/ready": everybody,
  "GET /.well-known/weir-receipts": everybody,
  "GET /openapi.json": everybody,
  "GET /docs": everybody,
  "GET /docs/": everybody,
  "GET /docs/start.js": everybody,
  "GET /docs/:file": everybody,

  "GET /v1/models": infer,
  "GET /v1/models/:id": inferModel,
  "POST /v1/embeddings": inferModelInBody({ input: "x" }),
  "POST /v1/completions": inferModelInBody({ prompt: "x" }),
  "POST /v1/chat/completions": inferModelInBody({ messages: [{ role: "user", content: "x" }] }),
  "POST /v1/price": { opens: ["infer", "usage"], names: "model", body: (model) => ({ model }) },
  "POST /v1/rerank": inferModelInBody({ query: "x", documents: ["x"] }),
  "POST /hf/:model": { ...inferModel, body: () => TEXTS },
  "POST /hf/:model/pipeline/:task": { ...inferModel, body: () => TEXTS },
  "POST /hf/:model/v1/completions": { ...inferModel, body: () => ({ prompt: "x" }) },
  "POST /hf/:model/v1/chat/completions": { ...inferModel, body: () => ({ messages: [{ role: "user", content: "x" }] }) },
  "GET /v2": infer,
  "GET /v2/models": infer,
  "GET /v2/models/stats": infer,
  "POST /v2/repository/index": infer,
  "POST /v2/repository/models/:model/load": inferModel,
  "POST /v2/repository/models/:model/unload": inferModel,
  ...Object.fromEntries(
    ["/v2/models/:model", "/v2/models/:model/versions/:version"].flatMap((model) => [
      ...["", "/ready", "/config", "/stats"].map((path) => [`GET ${model}${path}`, inferModel] as const),
      [`POST ${model}/infer`, { ...inferModel, body: () => TENSORS }] as const,
      ...["generate", "generate_stream"].map(
        (path) => [`POST ${model}/${path}`, { ...inferModel, body: () => ({ text_input: "x" }) }] as const,
      ),
    ]),
  ),

  "GET /v1/usage": usage,
  "GET /v1/limits": usage,
  "GET /v1/usage/export": usage,
  "GET /v1/usage/seals": usage,
  "GET /v1/balance": usage,
  "GET /v1/keys": keys,
  "POST /v1/keys": keys,
  "GET /v1/keys/:id": ownKey,
  "POST /v1/keys/:id/rotate": ownKey,
  "DELETE /v1/keys/:id": ownKey,

  "GET /v1/invoices": ownInvoices,
  "GET /v1/invoices/:id/prices": { ...ownInvoices, names: "invoice" },
  ...Object.fromEntries(
    ["/v1/invoices/:id", "/v1/invoices/:id/credits/:credit"].flatMap((path) =>
      ["", ...DOCUMENTS].map((form) => [`GET ${path}${form}`, { ...ownInvoices, names: "invoice" }] as const),
    ),
  ),
  "GET /v1/webhooks": keys,
  "POST /v1/webhooks": keys,
  ...Object.fromEntries(
    ["GET :id", "DELETE :id", "POST :id/rotate", "POST :id/test", "GET :id/deliveries", "POST :id/deliveries/:event/replay"].map(
      (route) => [route.replace(" ", " /v1/webhooks/"), { ...keys, names: "webhook" }] as const,
    ),
  ),

  "GET /metrics": reads("operate"),
  "GET /admin/status": reads("operate"),
  "POST /admin/tenants": changes("operate"),
  "GET /admin/tenants": reads("operate"),
  "GET /admin/tenants/:id": reads("operate"),
  "PATCH /admin/tenants/:id": changes("operate"),
  "PUT /admin/tenants/:id/billing": changes("billing"),
  "POST /admin/tenants/:id/close": changes("operate"),
  "DELETE /admin/tenants/:id": changes("operate"),
  "GET /admin/tenants/:id/deletion": reads("operate"),
  "GET /admin/tenants/:id/history": reads("operate"),
  "GET /admin/audit": reads("operate"),
  "POST /admin/people": changes("operate"),
  "GET /admin/people": reads("operate"),
  "GET /admin/people/:id": reads("operate"),
  "PATCH /admin/people/:id": changes("operate"),
  "DELETE /admin/people/:id": changes("operate"),
  "GET /admin/people/:id/history": reads("operate"),
  "POST /admin/keys": changes("operate"),
  "GET /admin/keys": reads("operate"),
  "GET /admin/keys/:id": reads("operate"),
  "POST /admin/keys/:id/rotate": changes("operate"),
  "PATCH /admin/keys/:id": changes("operate"),
  "DELETE /admin/keys/:id": changes("operate"),
  "GET /admin/models": reads("models"),
  "GET /admin/models/:name": reads("models"),
  "PUT /admin/models/:name": changes("models"),
  "GET /admin/models/:name/versions": reads("models"),
  "GET /admin/models/:name/versions/:number": reads("models"),
  "GET /admin/models/:name/versions/:number/content": reads("models"),
  "POST /admin/models/:name/uploads": changes("models"),
  "POST /admin/models/:name/versions": changes("models"),
  "GET /admin/splits/:model": reads("rollouts"),
  "PUT /admin/splits/:model": changes("rollouts"),
  "GET /admin/splits/:model/history": reads("rollouts"),
  "GET /admin/webhooks": reads("operate"),
  "POST /admin/webhooks": changes("operate"),
  "GET /admin/webhooks/:id": reads("operate"),
  "DELETE /admin/webhooks/:id": changes("operate"),
  "POST /admin/webhooks/:id/rotate": changes("operate"),
  "POST /admin/webhooks/:id/test": changes("operate"),
  "GET /admin/webhooks/:id/deliveries": reads("operate"),
  "POST /admin/webhooks/:id/deliveries/:event/replay": changes("operate"),
  "GET /admin/prices": reads("billing"),
  "GET /admin/prices/:book": reads("billing"),
  "PUT /admin/prices/:book": changes("billing"),
  "GET /admin/prices/:book/history": reads("billing"),
  "GET /admin/balances/:tenant": reads("billing"),
  "POST /admin/balances/:tenant/grants": changes("billing"),
  "POST /admin/balances/:tenant/adjustments": changes("billing"),
  "GET /admin/balances/:tenant/credits": reads("billing"),
  "GET /admin/invoices": reads("billing"),
  ...Object.fromEntries(
    ["/admin/invoices/:id", "/admin/invoices/:id/credits/:credit"].flatMap((path) =>
      ["", ...DOCUMENTS].map((form) => [`GET ${path}${form}`, reads("billing")] as const),
    ),
  ),
  "GET /admin/invoices/:id/prices": reads("billing"),
  "POST /admin/invoices/:id/issue": changes("billing"),
  "GET /admin/invoices/:id/history": reads("billing"),
  "POST /admin/invoices/:id/pay": changes("billing"),
  "POST /admin/invoices/:id/void": changes("billing"),
  "POST /admin/invoices/:id/replace": changes("billing"),
  "POST /admin/invoices/:id/adjustments": changes("billing"),
  "POST /admin/invoices/:id/credits": changes("billing"),
  "GET /admin/seller": reads("billing"),
  "PUT /admin/seller": changes("billing"),
  "GET /admin/seller/history": reads("billing"),
};

/** What a parameter is when it names nothing that is anybody's. */
export const PARAMETERS: Readonly<Record<string, string>> = {
  version: "1",
  number: "1",
  file: "swagger-ui.css",
  task: "feature-extraction",
};
