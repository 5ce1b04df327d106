import * as z from "zod";
import { PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX } from "../../../shared/base/page.ts";
import { modelNotFound, parseModelReference } from "../../../shared/models/reference.ts";
import { tasksOf } from "../../../shared/models/tasks.ts";
import type { VisibleModel } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked } from "../../http.ts";

/** OpenAI's own words for paging; its list of models has none, so clients that do not ask get the first page. */
export const ModelsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_DEFAULT),
  after: z.string().max(1024).optional(),
});

/** OpenAI's fields, and the tasks and live version beside them. */
export const OpenaiModel = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int(),
    owned_by: z.string(),
    task: z.string().meta({ description: "What its head does; `upstream` for a foreign engine" }),
    tasks: z.array(z.string()).meta({ description: "All that may be asked of it; unknown, so empty, for a foreign engine" }),
    version: z.int().positive(),
  })
  .meta({ id: "OpenaiModel" });
type OpenaiModel = z.infer<typeof OpenaiModel>;

export const ModelList = z
  .object({ object: z.literal("list"), data: z.array(OpenaiModel), has_more: z.boolean(), last_id: z.string().nullable() })
  .meta({ id: "OpenaiModelList" });
type ModelList = z.infer<typeof ModelList>;

/** `GET /v1/models`: what this key may call. */
export function answerModels(deps: Deps) {
  return async function answerModels(c: EdgeContext) {
    const { limit, after } = checked(c.req.query(), ModelsQuery);
    const page = await deps.catalog.list(c.get("principal"), { limit, ...(after === undefined ? {} : { cursor: after }) });
    const data = page.items.map(renderModel);
    const { nextCursor } = page;
    return c.json({ object: "list", data, has_more: nextCursor !== undefined, last_id: nextCursor ?? null } satisfies ModelList);
  };
}

/** `GET /v1/models/{id}`: by any reference that inference takes. */
export function answerModel(deps: Deps) {
  return async function answerModel(c: EdgeContext) {
    const reference = c.req.param("id") ?? "";
    const caller = c.get("principal");
    const target = await deps.catalog.resolve({ reference, caller, unit: `${caller.tenant}\n${caller.keyId}` });
    const model = await deps.control.models.current(parseModelReference(reference).model);
    if (model === undefined) throw modelNotFound(reference);
    return c.json(renderModel({ name: reference, model, live: target.version }));
  };
}

function renderModel({ name, model, live }: VisibleModel): OpenaiModel {
  const created = Math.floor(Date.parse(model.at) / 1000);
  const did = live.state === "ready" ? { task: live.facts.head, tasks: [...tasksOf(live.facts)] } : { task: "upstream", tasks: [] };
  return { id: name, object: "model", created, owned_by: "weir", ...did, version: live.number };
}
