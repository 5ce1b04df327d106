import { type InferenceResult, inputCountOf } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { HEADER_LENGTH, parseHeaderLength } from "../../../shared/oip/frame.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { tell } from "../../http.ts";
import { callOf, sayServed } from "../../serve/call.ts";
import { type Plan, serve } from "../../serve/serve.ts";
import { type AnswerBody, writeAnswer } from "./answer.ts";
import { answerCompressed, readPlainBody } from "./compression.ts";
import { type InferPlan, planInfer } from "./plan.ts";
import { referenceOf } from "./reference.ts";
import { type Asked, readAsked } from "./request.ts";
import type { Counted, StatisticsKeeper } from "./statistics.ts";

/** `POST /v2/models/{m}[/versions/{v}]/infer`: JSON or binary as the headers and the body say, whatever the Content-Type says: tritonclient sends none. */
export function answerInfer(deps: Deps, statistics: StatisticsKeeper) {
  return async function answerInfer(c: EdgeContext) {
    const body = await readPlainBody(c);
    const asked = readAsked(body, parseHeaderLength(c.req.header(HEADER_LENGTH)));
    const call = callOf(c, { dialect: "oip", reference: referenceOf(c), body });
    const plan = counted(planOf(asked, c.get("requestId")), { deps, c, statistics });
    const served = await serve(deps, call, plan).catch(plan.failed);
    plan.answered();
    sayServed(c, served);
    const { headerBytes } = served.body;
    if (headerBytes === undefined) return answerCompressed(c, served.body.body, "application/json");
    tell(c, HEADER_LENGTH, String(headerBytes));
    return answerCompressed(c, served.body.body, "application/octet-stream");
  };
}

function planOf(asked: Asked, requestId: string): Plan<AnswerBody> {
  let plan: InferPlan | undefined;
  return {
    ask: (version) => {
      plan = planInfer(version, asked); // refused before any work is done
      return plan.request;
    },
    render: (result, version) => {
      if (plan === undefined) throw new Error("a result came before anything was asked");
      const head = { model_name: version.model, model_version: String(version.number), id: asked.id ?? requestId };
      return writeAnswer(plan.tensorsOf(result.body), asked, head);
    },
  };
}

/** Watches a plan for the statistics: a request counts from the moment on that a version has accepted it. */
function counted<T>(plan: Plan<T>, { deps, c, statistics }: { deps: Deps; c: EdgeContext; statistics: StatisticsKeeper }) {
  let seen: { who: Counted; inputs: number; result?: InferenceResult } | undefined;
  const totalMs = () => deps.clock.nowMs() - c.get("acceptedAtMs");
  return {
    ask: (version: ReadyVersion) => {
      const request = plan.ask(version);
      seen = { who: { tenant: c.get("principal").tenant, model: version.model, version: version.number }, inputs: inputCountOf(request) };
      return request;
    },
    render: (result: InferenceResult, version: ReadyVersion) => {
      if (seen !== undefined) seen.result = result;
      return plan.render(result, version);
    },
    answered: () => {
      if (seen?.result === undefined) return;
      const { who, inputs, result } = seen;
      statistics.answered(who, { atMs: deps.clock.nowMs(), inputs, totalMs: totalMs(), queueMs: result.queueMs, runMs: result.runMs });
    },
    failed: (cause: unknown): never => {
      if (seen !== undefined) statistics.failed(seen.who, totalMs());
      throw cause;
    },
  };
}
