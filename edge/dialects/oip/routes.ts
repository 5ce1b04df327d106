import { Hono } from "hono";
import type { Deps } from "../../deps.ts";
import type { EdgeEnv } from "../../env.ts";
import { requireScope } from "../../middleware/authenticate.ts";
import { answerGenerate, answerGenerateStream } from "./generate.ts";
import { answerInfer } from "./infer.ts";
import { answerModel, answerModelNames, answerModelReady, answerServer } from "./metadata.ts";
import { answerConfig } from "./model-config.ts";
import { answerIndex, answerLoad, answerUnload } from "./repository.ts";
import { answerAllStatistics, answerStatistics, createStatisticsKeeper } from "./statistics.ts";

/** `/v2`: KServe's Open Inference Protocol V2, with Triton's extensions. */
export function oipRoutes(deps: Deps) {
  const infer = requireScope("infer");
  const statistics = createStatisticsKeeper();
  const routes = new Hono<EdgeEnv>()
    .get("/", infer, answerServer())
    .get("/models", infer, answerModelNames(deps))
    .get("/models/stats", infer, answerAllStatistics(statistics)) // before the models: one named `stats` has its metadata under a version
    .post("/repository/index", infer, answerIndex(deps))
    .post("/repository/models/:model/load", infer, answerLoad(deps))
    .post("/repository/models/:model/unload", infer, answerUnload(deps));
  for (const model of ["/models/:model", "/models/:model/versions/:version"]) {
    routes.get(model, infer, answerModel(deps));
    routes.get(`${model}/ready`, infer, answerModelReady(deps));
    routes.get(`${model}/config`, infer, answerConfig(deps));
    routes.get(`${model}/stats`, infer, answerStatistics(deps, statistics));
    routes.post(`${model}/infer`, infer, answerInfer(deps, statistics));
    routes.post(`${model}/generate`, infer, answerGenerate(deps, statistics));
    routes.post(`${model}/generate_stream`, infer, answerGenerateStream(deps, statistics));
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
