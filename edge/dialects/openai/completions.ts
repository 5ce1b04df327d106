import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { parseJson, readBody } from "../../http.ts";
import { callOf } from "../../serve/call.ts";
import { chooseTarget } from "../../serve/serve.ts";
import { isUpstream, ModelField, proxyOpenai } from "./upstream.ts";

/** Only what routing needs is read here; the engine checks the rest and refuses it in its own words. */
export const CompletionRequest = z
  .looseObject({
    model: ModelField,
    user: z.string().optional(),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  })
  .meta({ id: "CompletionRequest" });

/** Below a path that names the model, clients put their endpoint's URL or anything else into the body. */
export const PathCompletionRequest = CompletionRequest.extend({ model: z.string().optional() }).meta({ id: "PathCompletionRequest" });

export const EngineAnswer = z.looseObject({}).meta({ description: "What the engine answers; with `stream`, server-sent events" });

/** `…/v1/completions` and `…/v1/chat/completions`, for versions that are foreign engines; streamed when the caller asks for it. */
export function answerCompletion(deps: Deps, path: "/completions" | "/chat/completions") {
  return async function answerCompletion(c: EdgeContext) {
    const body = await readBody(c);
    const named = c.req.param("model");
    const asked = parseJson(body, named === undefined ? CompletionRequest : PathCompletionRequest);
    const reference = named ?? asked.model ?? "";
    const call = callOf(c, { dialect: named === undefined ? "openai" : "hf", reference, body, user: asked.user });
    const target = await chooseTarget(deps, call);
    if (!isUpstream(target)) throw new Failure("invalid_request", `The model '${reference}' does not generate text.`, { field: "model" });
    return proxyOpenai(deps, c, { call, target, path, task: "generate", body, inputs: 1, inBody: asked });
  };
}
