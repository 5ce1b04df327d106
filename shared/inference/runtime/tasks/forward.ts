import { Failure } from "../../../base/failure.ts";
import type { TensorFacts } from "../../../models/version.ts";
import type { ForwardRequest, NamedTensor, TaskResult } from "../../contract.ts";
import type { TaskModel } from "../plan.ts";
import type { Tensor } from "../session.ts";
import { elementsOf, isElementType, tensorBytes } from "../tensor-bytes.ts";
import { checkCount, FORWARD_BYTES_MAX, FORWARD_TOKENS_MAX } from "./limits.ts";

/** One run of the bare graph, checked so far that no caller's tensor can make it read outside of its weights. */
export type ForwardPlan = {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** The outputs that are wanted. */
  readonly fetches: readonly string[];
  /** Of the request as one input: the tokens that the attention mask shows, else all. */
  readonly inputTokens: readonly number[];
  readonly finish: (outputs: Readonly<Record<string, Tensor>>) => TaskResult;
};

/** Inputs of the shape `[batch, sequence]`, whose lengths must agree. */
const ALIKE = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];

/** The bare graph: tensors in, tensors out (Open Inference Protocol V2, tensor data). Fails with `invalid_request` and the tensor's name. */
export function planForward(request: ForwardRequest, model: Omit<TaskModel, "coder">): ForwardPlan {
  const { graph } = model.facts;
  if (graph === undefined) throw new Failure("invalid_request", "The model's graph takes no tensors.", { field: "model" });
  checkNames(request, graph.inputs);
  const feeds = Object.fromEntries(request.tensors.map((tensor) => [tensor.name, feedOf(tensor, graph.inputs)]));
  checkLikeness(feeds, model);
  const fetches = wantedOf(request, graph.outputs);
  checkAnswer(fetches, graph.outputs, feeds);
  return {
    feeds,
    fetches,
    inputTokens: [tokensIn(feeds)],
    finish: (outputs) => ({ task: "forward", tensors: fetches.map((name) => namedOf(name, outputs[name])) }),
  };
}

function wrong(name: string, message: string): Failure {
  return new Failure("invalid_request", message, { field: name });
}

function checkNames({ tensors }: ForwardRequest, inputs: readonly TensorFacts[]): void {
  const names = inputs.map(({ name }) => name);
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (!names.includes(name)) throw wrong(name, `The graph has no input '${name}'; its inputs are ${names.join(", ")}.`);
    if (seen.has(name)) throw wrong(name, `The input '${name}' is given twice.`);
    seen.add(name);
  }
  const missing = names.find((name) => !seen.has(name));
  if (missing !== undefined) throw wrong(missing, `The input '${missing}' is missing.`);
}

function feedOf({ name, type, shape, bytes }: NamedTensor, inputs: readonly TensorFacts[]): Tensor {
  const wanted = inputs.find((input) => input.name === name);
  if (wanted?.type !== type) throw wrong(name, `The input '${name}' is ${type}, and the graph wants ${wanted?.type}.`);
  const isRight = shape.length === wanted.dims.length && wanted.dims.every((dim, at) => dim === -1 || dim === shape[at]);
  if (!isRight)
    throw wrong(name, `The input '${name}' has the shape [${shape}], and the graph wants [${wanted.dims}], where -1 is any length.`);
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim > 0))
    throw wrong(name, `The input '${name}' has the shape [${shape}]; every dimension must be a whole number above 0.`);
  const count = shape.reduce((product, dim) => product * dim, 1);
  checkCount(count, FORWARD_TOKENS_MAX, { field: name, what: `elements in the input '${name}'` });
  const data = elementsOf(type, bytes);
  if (data?.length !== count)
    throw wrong(name, `The input '${name}' has the shape [${shape}], which is ${count} elements, and ${bytes.length} bytes of ${type}.`);
  return { type, data, dims: shape };
}

/** What a tokenizer would see to: lengths that agree, and ids inside of the tables that they index. */
function checkLikeness(feeds: Readonly<Record<string, Tensor>>, { facts, settings }: Omit<TaskModel, "coder">): void {
  const dims = feeds["input_ids"]?.dims ?? [];
  for (const [name, feed] of Object.entries(feeds)) {
    if (ALIKE.includes(name) && String(feed.dims) !== String(dims))
      throw wrong(name, `The input '${name}' has the shape [${feed.dims}], and input_ids has [${dims}].`);
  }
  const length = dims[1] ?? 0;
  if (length > facts.tokensMax) throw wrong("input_ids", `The input has ${length} tokens, and the model reads at most ${facts.tokensMax}.`);
  checkBelow("input_ids", feeds["input_ids"], settings.vocabSize);
  checkBelow("token_type_ids", feeds["token_type_ids"], Math.max(1, settings.typeCount));
  checkBelow("position_ids", feeds["position_ids"], facts.tokensMax);
  checkBelow("attention_mask", feeds["attention_mask"], 2);
}

function checkBelow(name: string, tensor: Tensor | undefined, limit: number | undefined): void {
  for (const id of tensor?.data ?? []) {
    if (id < 0 || (limit !== undefined && id >= limit))
      throw wrong(
        name,
        `The input '${name}' holds ${id}, where only 0 to ${limit === undefined ? "the vocabulary's last id" : limit - 1} have a meaning.`,
      );
  }
}

function wantedOf({ outputs: asked }: ForwardRequest, outputs: readonly TensorFacts[]): readonly string[] {
  const names = outputs.map(({ name }) => name);
  if (asked === undefined || asked.length === 0) return names;
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown !== undefined) throw wrong(unknown, `The graph has no output '${unknown}'; its outputs are ${names.join(", ")}.`);
  return [...new Set(asked)];
}

/** A row as wide as a vocabulary for each token soon takes more memory than anybody meant. */
function checkAnswer(fetches: readonly string[], outputs: readonly TensorFacts[], feeds: Readonly<Record<string, Tensor>>): void {
  const [batch = 1, length = 1] = feeds["input_ids"]?.dims ?? [];
  const sizes = outputs
    .filter(({ name }) => fetches.includes(name))
    .map(({ dims, type }) => dims.reduce((product, dim, at) => product * (dim >= 0 ? dim : at === 0 ? batch : length), bytesPer(type)));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  checkCount(bytes, FORWARD_BYTES_MAX, { field: "input_ids", what: "bytes of answer" });
}

const bytesPer = (type: string) => (isElementType(type) ? (elementsOf(type, new Uint8Array())?.BYTES_PER_ELEMENT ?? 1) : 1);

function tokensIn(feeds: Readonly<Record<string, Tensor>>): number {
  const { input_ids: ids, attention_mask: mask } = feeds;
  return mask === undefined ? (ids?.data.length ?? 0) : Array.from(mask.data, Number).reduce((sum, shown) => sum + shown, 0);
}

function namedOf(name: string, tensor: Tensor | undefined): NamedTensor {
  if (tensor === undefined) throw new Failure("engine_failed", `The graph's output ${name} is missing.`);
  return { name, type: tensor.type, shape: tensor.dims, bytes: tensorBytes(tensor) };
}
