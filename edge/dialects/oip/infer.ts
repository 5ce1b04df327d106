import type { InferenceResult } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { answer, parseJson, readBody } from "../../http.ts";
import { askTask } from "../../serve/ask.ts";
import { callOf, sayServed } from "../../serve/call.ts";
import { serve } from "../../serve/serve.ts";
import { referenceOf } from "./reference.ts";
import { askedOf, binaryUnsupported, InferRequest } from "./request.ts";
import { type InferAnswer, tensorsOf, wantedOutputs } from "./tensors.ts";

/** `POST /v2/models/{m}[/versions/{v}]/infer`, in JSON whatever the Content-Type says: tritonclient sends none. */
export function answerInfer(deps: Deps) {
  return async function answerInfer(c: EdgeContext) {
    if (c.req.header("inference-header-content-length") !== undefined) throw binaryUnsupported();
    const body = await readBody(c);
    const request = parseJson(body, InferRequest);
    const asked = askedOf(request);
    const id = request.id ?? c.get("requestId");
    const served = await serve(deps, callOf(c, { dialect: "oip", reference: referenceOf(c), body }), {
      ask: (version) => {
        wantedOutputs(version, request); // refused before any work is done
        return askTask(version, asked);
      },
      render: (result, version) => JSON.stringify(render(result, version, { request, id })),
    });
    sayServed(c, served);
    return answer(c, served.body, { contentType: "application/json" });
  };
}

function render(result: InferenceResult, version: ReadyVersion, { request, id }: { request: InferRequest; id: string }): InferAnswer {
  return {
    model_name: version.model,
    model_version: String(version.number),
    id,
    outputs: tensorsOf(result, wantedOutputs(version, request)),
  };
}
