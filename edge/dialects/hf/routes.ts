import { Hono } from "hono";
import type { Deps } from "../../deps.ts";
import type { EdgeEnv } from "../../env.ts";
import { requireScope } from "../../middleware/authenticate.ts";
import { answerCompletion } from "../openai/completions.ts";
import { answerInference } from "./infer.ts";

/** `/hf/{model}`: what Hugging Face's clients reach when their endpoint URL is that. */
export function hfRoutes(deps: Deps) {
  const infer = requireScope("infer");
  return (
    new Hono<EdgeEnv>()
      .post("/:model", infer, answerInference(deps))
      .post("/:model/pipeline/:task", infer, answerInference(deps))
      // For text generation and chat the clients speak OpenAI's protocol below the endpoint's URL.
      .post("/:model/v1/completions", infer, answerCompletion(deps, "/completions"))
      .post("/:model/v1/chat/completions", infer, answerCompletion(deps, "/chat/completions"))
  );
}
