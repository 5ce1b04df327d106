import { Failure } from "../../../shared/base/failure.ts";
import type { TaskRequest } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { answer, parseJson, readBody } from "../../http.ts";
import { askTask } from "../../serve/ask.ts";
import { callOf, sayServed } from "../../serve/call.ts";
import { assertTask, serve } from "../../serve/serve.ts";
import { answerOf } from "./answers.ts";
import { askedOf, HF_TASKS, type HfAsked, HfRequest, hfTaskOf } from "./request.ts";

/** `POST /hf/{model}` and `/hf/{model}/pipeline/{task}`: the model decides the task, and a path that names another one is refused. */
export function answerInference(deps: Deps) {
  return async function answerInference(c: EdgeContext) {
    const task = c.req.param("task");
    const named = task === undefined ? undefined : hfTaskOf(task);
    const body = await readBody(c);
    const asked = askedOf(parseJson(body, HfRequest));
    const served = await serve(deps, callOf(c, { dialect: "hf", reference: c.req.param("model") ?? "", body }), {
      ask: (version) => ask(version, asked, named),
      render: (result) => JSON.stringify(answerOf(result, asked)),
    });
    sayServed(c, served);
    return answer(c, served.body, { contentType: "application/json" });
  };
}

function ask(version: ReadyVersion, asked: HfAsked, named: keyof typeof HF_TASKS | undefined): TaskRequest {
  if (named !== undefined) assertTask(version, HF_TASKS[named]);
  if (asked.layout === "comparison") assertTask(version, "embed");
  if (asked.topK !== undefined && version.facts.task !== "classify") {
    throw new Failure("invalid_request", "top_k: only text classification has labels to rank", { field: "top_k" });
  }
  return askTask(version, asked);
}
