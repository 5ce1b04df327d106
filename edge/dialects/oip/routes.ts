import { Hono } from "hono";
import type { Deps } from "../../deps.ts";
import type { EdgeEnv } from "../../env.ts";
import { requireScope } from "../../middleware/authenticate.ts";
import { answerInfer } from "./infer.ts";
import { answerModel, answerModelNames, answerModelReady, answerServer } from "./metadata.ts";

/** `/v2`: KServe's Open Inference Protocol V2. */
export function oipRoutes(deps: Deps) {
  const infer = requireScope("infer");
  const routes = new Hono<EdgeEnv>().get("/", infer, answerServer()).get("/models", infer, answerModelNames(deps));
  for (const model of ["/models/:model", "/models/:model/versions/:version"]) {
    routes.get(model, infer, answerModel(deps));
    routes.get(`${model}/ready`, infer, answerModelReady(deps));
    routes.post(`${model}/infer`, infer, answerInfer(deps));
  }
  return routes;
}

/** `/v2/health`: needs no key, because the probes of KServe and of load balancers carry none. Both keys in every answer, as no two documents ask for the same. */
export function oipHealthRoutes(deps: Pick<Deps, "isReady">) {
  return new Hono<EdgeEnv>()
    .get("/live", (c) => c.json({ live: true }))
    .get("/ready", async (c) => {
      if (await deps.isReady()) return c.json({ ready: true, live: true });
      return c.json({ error: "The gateway is not ready.", ready: false, live: true }, 503);
    });
}
