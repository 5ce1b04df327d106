import { z } from "zod";
import { PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX } from "../../../shared/base/page.ts";
import { modelNotFound, parseModelReference } from "../../../shared/models/reference.ts";
import type { VisibleModel } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked } from "../../http.ts";

/** OpenAI's own words for paging; its list of models has none, so clients that do not ask get the first page. */
export const ModelsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_DEFAULT),
  after: z.string().max(1024).optional(),
});

/** `GET /v1/models`: what this tenant may use. */
export function answerModels(deps: Deps) {
  return async function answerModels(c: EdgeContext) {
    const { limit, after } = checked(c.req.query(), ModelsQuery);
    const page = await deps.catalog.list(c.get("principal").tenant, { limit, ...(after === undefined ? {} : { cursor: after }) });
    const data = page.items.map(renderModel);
    return c.json({ object: "list", data, has_more: page.nextCursor !== undefined, last_id: page.nextCursor ?? null });
  };
}

/** `GET /v1/models/{id}`: by any reference that inference takes. */
export function answerModel(deps: Deps) {
  return async function answerModel(c: EdgeContext) {
    const reference = c.req.param("id") ?? "";
    const { tenant, keyId } = c.get("principal");
    const target = await deps.catalog.resolve({ reference, tenant, unit: `${tenant}\n${keyId}` });
    const model = await deps.control.models.current(parseModelReference(reference).model);
    if (model === undefined) throw modelNotFound(reference);
    return c.json({ ...renderModel({ model, live: target.version }), id: reference });
  };
}

function renderModel({ model, live }: VisibleModel) {
  const created = Math.floor(Date.parse(model.at) / 1000);
  const task = live.state === "ready" ? live.facts.task : "upstream";
  return { id: model.body.name, object: "model", created, owned_by: "weir", task, version: live.number };
}
