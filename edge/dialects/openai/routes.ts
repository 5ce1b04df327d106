import { Hono } from "hono";
import type { Deps } from "../../deps.ts";
import type { EdgeEnv } from "../../env.ts";
import { requireScope } from "../../middleware/authenticate.ts";
import { answerCompletion } from "./completions.ts";
import { answerEmbeddings } from "./embeddings.ts";
import { answerModel, answerModels } from "./models.ts";
import { answerRerank } from "./rerank.ts";

/** `/v1`: OpenAI's API, and reranking in its manner. */
export function openaiRoutes(deps: Deps) {
  const infer = requireScope("infer");
  return new Hono<EdgeEnv>()
    .get("/models", infer, answerModels(deps))
    .get("/models/:id{.+}", infer, answerModel(deps))
    .post("/embeddings", infer, answerEmbeddings(deps))
    .post("/completions", infer, answerCompletion(deps, "/completions"))
    .post("/chat/completions", infer, answerCompletion(deps, "/chat/completions"))
    .post("/rerank", infer, answerRerank(deps));
}
