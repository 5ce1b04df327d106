import type { Datatype } from "../../../shared/oip/datatype.ts";
import type { ConfigTensor, ModelConfig } from "../../../shared/oip/descriptions.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { INPUTS_MAX } from "../../serve/ask.ts";
import { inputsOf, outputsOf, versionOf } from "./metadata.ts";
import type { TensorFacts } from "./task-answer.ts";

/** `GET /v2/models/{m}[/versions/{v}]/config` */
export function answerConfig(deps: Deps) {
  return async function answerConfig(c: EdgeContext) {
    const version = await versionOf(deps, c);
    const { placement, facts, number } = version;
    const said = {
      pool: placement.pool,
      dtype: placement.dtype,
      family: facts.family,
      head: facts.head,
      tokens_max: String(facts.tokensMax),
    };
    return c.json({
      ...{ name: version.model, platform: "onnxruntime_onnx", backend: "onnxruntime" },
      version_policy: { specific: { versions: [number] } },
      max_batch_size: INPUTS_MAX,
      input: inputsOf(version).map((tensor) => ({ ...configTensor(tensor), format: "FORMAT_NONE", optional: true })),
      output: outputsOf(version).map(configTensor),
      default_model_filename: "model.onnx",
      parameters: Object.fromEntries(Object.entries(said).map(([name, text]) => [name, { string_value: text }])),
    } satisfies ModelConfig);
  };
}

/** `dims` leave out the batch, and are never empty. */
function configTensor({ name, datatype, shape }: TensorFacts): ConfigTensor {
  const dims = shape.slice(1);
  return { name, data_type: dataTypeOf(datatype), dims: dims.length === 0 ? [1] : dims };
}

function dataTypeOf(datatype: Datatype): string {
  return datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`;
}
