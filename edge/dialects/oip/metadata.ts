import type { z } from "zod";
import packageJson from "../../../package.json" with { type: "json" };
import { PageQuery } from "../../../shared/base/page.ts";
import { tasksOf } from "../../../shared/models/tasks.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { ModelMetadata, ModelNames, ModelReady, ServerMetadata, TensorMetadata } from "../../../shared/oip/descriptions.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked } from "../../http.ts";
import { assertReady } from "../../serve/readiness.ts";
import { nativeVersionOf } from "../../serve/serve.ts";
import { graphOf } from "./graph.ts";
import { referenceOf } from "./reference.ts";
import { outputsOfTask, type TensorFacts } from "./task-answer.ts";
import { type TextTask, textInputsOf } from "./task-request.ts";

const SERVER: z.infer<typeof ServerMetadata> = {
  name: "weir",
  version: packageJson.version,
  extensions: [
    ...["model_repository", "model_configuration", "binary_tensor_data", "classification"],
    ...["statistics", "parameters", "generate"],
  ],
};

/** `GET /v2` */
export function answerServer() {
  return (c: EdgeContext) => c.json(SERVER);
}

/** `GET /v2/models`, which KServe has: the models that can be called here. Foreign engines are under `/v1` only. */
export function answerModelNames(deps: Deps) {
  return async function answerModelNames(c: EdgeContext) {
    const { items, nextCursor } = await deps.catalog.list(c.get("principal"), checked(c.req.query(), PageQuery));
    const models = items.filter(({ live }) => live.state === "ready").map(({ name }) => name);
    return c.json({ models, ...(nextCursor === undefined ? {} : { nextCursor }) } satisfies z.infer<typeof ModelNames>);
  };
}

/** `GET /v2/models/{m}[/versions/{v}]` */
export function answerModel(deps: Deps) {
  return async function answerModel(c: EdgeContext) {
    const version = await versionOf(deps, c);
    const all = await deps.catalog.versionsOf({ reference: `${version.model}@${version.number}`, caller: c.get("principal") });
    const { labels, chats } = version.facts;
    return c.json({
      name: version.model,
      versions: all.map(({ number }) => String(number)).reverse(),
      platform: "onnx_onnxv1",
      inputs: inputsOf(version).map(metadataOf),
      outputs: outputsOf(version).map(metadataOf),
      properties: {
        tasks: JSON.stringify(tasksIn(version)),
        ...(labels === undefined ? {} : { labels: JSON.stringify(labels) }),
        ...(chats === true ? { chats: "true" } : {}),
      },
    } satisfies ModelMetadata);
  };
}

/** `GET /v2/models/{m}[/versions/{v}]/ready`: a model that does not exist is not found, one that nobody here could answer is not ready. */
export function answerModelReady(deps: Deps) {
  return async function answerModelReady(c: EdgeContext) {
    const version = await versionOf(deps, c);
    assertReady(deps, version);
    return c.json({ name: version.model, ready: true } satisfies z.infer<typeof ModelReady>);
  };
}

/** The inputs of both levels: of the head's own task, and of the bare graph. */
export function inputsOf(version: ReadyVersion): readonly TensorFacts[] {
  const { head } = version.facts;
  return head === "generate" ? [text("text_input")] : [...taskInputs(head), ...graphOf(version).inputs];
}

export function outputsOf(version: ReadyVersion): readonly TensorFacts[] {
  const { head } = version.facts;
  return head === "generate" ? [text("text_output")] : [...outputsOfTask(head, version.facts), ...graphOf(version).outputs];
}

export async function versionOf(deps: Deps, c: EdgeContext): Promise<ReadyVersion> {
  const caller = c.get("principal");
  return nativeVersionOf(await deps.catalog.resolve({ reference: referenceOf(c), caller, unit: `${caller.tenant}\n${caller.keyId}` }));
}

/** Task by task, what it reads and what it answers. */
function tasksIn(version: ReadyVersion): Record<string, { inputs: string[]; outputs: string[] }> {
  const names = (tensors: readonly TensorFacts[]) => tensors.map(({ name }) => name);
  const graph = graphOf(version);
  const tasks = tasksOf(version.facts).filter((task) => task !== "forward" || graph.inputs.length > 0);
  const entries = tasks.map((task) => {
    if (task === "generate") return [task, { inputs: ["text_input"], outputs: ["text_output"] }] as const;
    if (task === "forward") return [task, { inputs: names(graph.inputs), outputs: names(graph.outputs) }] as const;
    return [task, { inputs: names(taskInputs(task)), outputs: names(outputsOfTask(task, version.facts)) }] as const;
  });
  return Object.fromEntries(entries);
}

function taskInputs(task: TextTask): TensorFacts[] {
  const { required, optional } = textInputsOf(task);
  return [...required, ...optional].map(text);
}

function text(name: string): TensorFacts {
  return { name, datatype: "BYTES", shape: [-1] };
}

function metadataOf({ name, datatype, shape }: TensorFacts): z.infer<typeof TensorMetadata> {
  return { name, datatype, shape: [...shape] };
}
