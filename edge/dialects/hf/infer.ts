import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { parseJson, readBody } from "../../http.ts";
import { answerServed, callOf } from "../../serve/call.ts";
import { answerOnce } from "../../serve/once.ts";
import { jsonAnswer, writePlainly } from "../../serve/rendered.ts";
import { assertTask, type Call, chooseTarget, nativeVersionOf, serveTarget } from "../../serve/serve.ts";
import { HfRequest } from "./request.ts";
import type { HfPlan } from "./rule.ts";
import { HF_RULES, type HfTask, hfTaskOf, meantTask, TEXT_GENERATION } from "./rules.ts";
import { answerTextGeneration } from "./text-generation.ts";

/** `POST /hf/{model}` and `/hf/{model}/pipeline/{task}`: the request's form and the model decide the task, and a path that names one that it does not do is refused. */
export function answerInference(deps: Deps) {
  return async function answerInference(c: EdgeContext) {
    const task = c.req.param("task");
    const named = task === undefined ? undefined : hfTaskOf(task);
    const body = await readBody(c);
    const request = parseJson(body, HfRequest);
    const call = callOf(c, { dialect: "hf", reference: c.req.param("model") ?? "", body });
    return answerOnce(deps, c, { call, write: writePlainly, run: (once) => infer(deps, c, { call: once, named, request }) });
  };
}

type Asked = { readonly call: Call; readonly named: HfTask | undefined; readonly request: HfRequest };

async function infer(deps: Deps, c: EdgeContext, { call, named, request }: Asked): Promise<Response> {
  const target = await chooseTarget(deps, call);
  const meant = named ?? meantTask(nativeVersionOf(target), request);
  if (meant === TEXT_GENERATION) return answerTextGeneration(deps, c, { call, target, request });
  const planFor = onceByVersion((version) => plan(version, request, meant));
  const served = await serveTarget(deps, call, {
    target,
    ask: (version) => planFor(version).request,
    render: (result, version) => jsonAnswer(JSON.stringify(planFor(version).render(result))),
  });
  return answerServed(c, served);
}

function plan(version: ReadyVersion, request: HfRequest, task: Exclude<HfTask, typeof TEXT_GENERATION>): HfPlan {
  const rule = HF_RULES[task];
  assertTask(version, rule.task);
  return rule.plan(version, request);
}

/** A request is read once for the version that answers, whether that is asked of it before or after. */
function onceByVersion(make: (version: ReadyVersion) => HfPlan): (version: ReadyVersion) => HfPlan {
  const made = new Map<number, HfPlan>();
  return (version) => {
    const plan = made.get(version.number) ?? make(version);
    made.set(version.number, plan);
    return plan;
  };
}
