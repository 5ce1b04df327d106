import type { TaskRequest, TaskResult } from "../../../shared/inference/contract.ts";
import { type Task, tasksOf } from "../../../shared/models/tasks.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { decodeText, textsOf, type WireTensor } from "../../../shared/oip/payload.ts";
import { refusal } from "../../../shared/oip/refusal.ts";
import { INPUTS_MAX } from "../../serve/ask.ts";
import { isRankable } from "./classification.ts";
import { askForward, graphOf } from "./graph.ts";
import type { OutputTensor } from "./output-tensor.ts";
import { assertParameters } from "./parameters.ts";
import type { Asked } from "./request.ts";
import { outputsOfTask, type TensorFacts, tensorsOfResult } from "./task-answer.ts";
import { askTextTask, type TextColumns, type TextTask, textInputsOf } from "./task-request.ts";

/** What a request asks of the version that the split chose, and what its result's tensors are. */
export type InferPlan = { readonly request: TaskRequest; readonly tensorsOf: (result: TaskResult) => OutputTensor[] };

/**
 * One model has two levels: texts run its tokenizer and a task, the names of the bare graph run the graph. What the inputs are called says which; a
 * request that mixes them is refused.
 */
export function planInfer(version: ReadyVersion, asked: Asked): InferPlan {
  if (asked.inputs.kind === "raw") return planTexts(version, asked, rawColumns(version, asked.inputs.bytes));
  const { tensors } = asked.inputs;
  const graph = graphOf(version).inputs.map(({ name }) => name);
  const ofGraph = tensors.filter(({ name }) => graph.includes(name));
  const task = taskOf(version, asked);
  if (task === "forward" || ofGraph.length === tensors.length) return planForward(version, asked, tensors);
  if (ofGraph.length > 0) throw refusal("inputs", `mixes texts with '${ofGraph[0]?.name}' of the bare graph`);
  return planTexts(version, asked, columnsOf(tensors, task, graph));
}

/** The task of a request that brings texts: what it says, or the head's own. */
function taskOf(version: ReadyVersion, { parameters }: Asked): TextTask | "forward" {
  const tasks = tasksOf(version.facts);
  const task: Task = parameters.task ?? version.facts.head;
  if (!tasks.includes(task)) throw refusal("parameters.task", `must be one of ${tasks.join(", ")}`);
  if (task === "generate") throw refusal("inputs", "this model generates text: call its path /generate or /generate_stream");
  return task;
}

function planTexts(version: ReadyVersion, asked: Asked, columns: TextColumns): InferPlan {
  const task = taskOf(version, asked);
  if (task === "forward") throw refusal("parameters.task", "'forward' reads the bare graph's tensors");
  assertOutputs(asked, outputsOfTask(task, version.facts));
  const request = askTextTask(task, { columns, parameters: asked.parameters, version });
  return { request, tensorsOf: (result) => tensorsOfResult(result, request) };
}

function planForward(version: ReadyVersion, asked: Asked, tensors: readonly WireTensor[]): InferPlan {
  const { task = "forward" } = asked.parameters;
  if (graphOf(version).inputs.length === 0) throw refusal("parameters.task", "the bare graph of this version is not known");
  if (task !== "forward") throw refusal("parameters.task", `'${task}' reads texts, not the bare graph's tensors`);
  assertParameters(asked.parameters, "forward", []);
  assertOutputs(asked, graphOf(version).outputs);
  const request = askForward(
    version,
    tensors,
    asked.outputs.map(({ name }) => name),
  );
  const { labels } = version.facts;
  const labelsOf = () => labels;
  // The last dimension of a classifying head's logits is its labels.
  const labelled = (tensor: OutputTensor) =>
    labels !== undefined && tensor.shape.at(-1) === labels.length ? { ...tensor, labelsOf } : tensor;
  return { request, tensorsOf: (result) => tensorsOfResult(result, request).map(labelled) };
}

function assertOutputs({ outputs }: Asked, there: readonly TensorFacts[]) {
  const names = there.map(({ name }) => name);
  for (const [index, { name, classes }] of outputs.entries()) {
    const facts = there.find((output) => output.name === name);
    if (facts === undefined) throw refusal(`outputs.${index}.name`, `must be one of ${names.join(", ")}`);
    if (classes === undefined || isRankable(facts.datatype)) continue;
    throw refusal(`outputs.${index}.parameters.classification`, `ranks scores and logits, and '${name}' is ${facts.datatype}`);
  }
}

function columnsOf(tensors: readonly WireTensor[], task: TextTask, graph: readonly string[]): TextColumns {
  const { required, optional } = textInputsOf(task);
  const names = [...required, ...optional];
  const columns = tensors.map((tensor, index) => {
    const field = `inputs.${index}`;
    if (!names.includes(tensor.name)) throw refusal(`${field}.name`, `must be one of ${names.join(", ")}${alternatively(graph)}`);
    return [tensor.name, { texts: columnOf(tensor, field), field }] as const;
  });
  return new Map(columns);
}

/** The texts of a BYTES tensor of shape [n] or [n,1]. */
function columnOf(tensor: WireTensor, field: string): string[] {
  const { datatype, shape } = tensor;
  if (datatype !== "BYTES") throw refusal(`${field}.datatype`, `must be BYTES, not ${datatype}`);
  const [count = 0, width = 1] = shape;
  if (shape.length < 1 || shape.length > 2 || width !== 1) throw refusal(`${field}.shape`, "must be [n] or [n,1]");
  if (count < 1 || count > INPUTS_MAX) throw refusal(`${field}.shape`, `must hold 1 to ${INPUTS_MAX} texts`);
  return textsOf(tensor, field);
}

/** A raw body is the model's only text, without a length before it. */
function rawColumns(version: ReadyVersion, bytes: Uint8Array): TextColumns {
  const { head } = version.facts;
  const [name, ...others] = head === "generate" ? [] : textInputsOf(head).required;
  if (name === undefined || others.length > 0) throw refusal("inputs", "a raw body fits models with one input only");
  return new Map([[name, { texts: [decodeText(bytes, "The body")], field: "inputs.0" }]]);
}

function alternatively(graph: readonly string[]): string {
  return graph.length === 0 ? "" : `; or, for the bare graph, ${graph.join(", ")}`;
}
