import { type InferenceResult, inputCountOf } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { HEADER_LENGTH, parseHeaderLength } from "../../../shared/oip/frame.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { answerServed, callOf } from "../../serve/call.ts";
import { answerOnce } from "../../serve/once.ts";
import type { Rendered } from "../../serve/rendered.ts";
import { type Call, type Plan, serve } from "../../serve/serve.ts";
import { type AnswerBody, writeAnswer } from "./answer.ts";
import { answerCompressed, readPlainBody } from "./compression.ts";
import { withinMsOf } from "./parameters.ts";
import { type InferPlan, planInfer } from "./plan.ts";
import { referenceOf } from "./reference.ts";
import { type Asked, readAsked } from "./request.ts";
import type { Counted, StatisticsKeeper } from "./statistics.ts";

/** `POST /v2/models/{m}[/versions/{v}]/infer`: JSON or binary as the headers and the body say, whatever the Content-Type says: tritonclient sends none. */
export function answerInfer(deps: Deps, statistics: StatisticsKeeper) {
  return async function answerInfer(c: EdgeContext) {
    const body = await readPlainBody(c);
    const asked = readAsked(body, parseHeaderLength(c.req.header(HEADER_LENGTH)));
    const call = callOf(c, { dialect: "oip", reference: referenceOf(c), body, withinMs: withinMsOf(asked.parameters.timeout) });
    return answerOnce(deps, c, { call, write: answerCompressed, run: (once) => infer(deps, c, { call: once, asked, statistics }) });
  };
}

type Inferring = { readonly call: Call; readonly asked: Asked; readonly statistics: StatisticsKeeper };

async function infer(deps: Deps, c: EdgeContext, { call, asked, statistics }: Inferring): Promise<Response> {
  const plan = counted(planOf(asked, call.requestId), { deps, call, statistics });
  const served = await serve(deps, call, plan).catch(plan.failed);
  plan.answered();
  return answerServed(c, served, answerCompressed);
}

function planOf(asked: Asked, requestId: string): Plan {
  let plan: InferPlan | undefined;
  return {
    ask: (version) => {
      plan = planInfer(version, asked); // refused before any work is done
      return plan.request;
    },
    render: (result, version) => {
      if (plan === undefined) throw new Error("a result came before anything was asked");
      const head = { model_name: version.model, model_version: String(version.number), id: asked.id ?? requestId };
      return renderedOf(writeAnswer(plan.tensorsOf(result.body), asked, head));
    },
  };
}

function renderedOf({ body, headerBytes }: AnswerBody): Rendered {
  if (headerBytes === undefined) return { body, contentType: "application/json" };
  return { body, contentType: "application/octet-stream", headers: { [HEADER_LENGTH]: String(headerBytes) } };
}

/** Watches a plan for the statistics: a request counts from the moment on that a version has accepted it. */
function counted(plan: Plan, { deps, call, statistics }: { deps: Deps; call: Call; statistics: StatisticsKeeper }) {
  let seen: { who: Counted; inputs: number; result?: InferenceResult } | undefined;
  const totalMs = () => deps.clock.nowMs() - call.acceptedAtMs;
  return {
    ask: (version: ReadyVersion) => {
      const request = plan.ask(version);
      seen = { who: { tenant: call.principal.tenant, model: version.model, version: version.number }, inputs: inputCountOf(request) };
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
