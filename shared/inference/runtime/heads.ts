import { Failure } from "../../base/failure.ts";
import type { Dtype, Head, TensorFacts, VersionFacts } from "../../models/version.ts";
import type { ModelSettings } from "./model-files.ts";
import { unfit } from "./read-json.ts";
import type { Session, TensorShape } from "./session.ts";
import { isElementType } from "./tensor-bytes.ts";

/** Which outputs of a graph answer, and what they hold: one row a text, vectors of tokens that become one by pooling, or one row a token. */
export type GraphHead = { readonly head: Head; readonly outputs: readonly string[]; readonly holds: "rows" | "pooled" | "tokens" };

/** The names and shapes of a graph. */
export type Graph = Pick<Session, "inputs" | "outputs">;

const FED = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
const FED_TYPES = ["int64", "int32"];
/** A decoder has dozens of inputs for its cache; a few of them say enough. */
const NAMED_TENSORS_MAX = 4;
const isCache = (name: string) => name.startsWith("past_key_values") || name.startsWith("present");

/** Families that read from left to right: their classifiers look at a text's last token. */
const CAUSAL_FAMILIES = new Set(
  "gpt2 gpt_neo gpt_neox gptj gpt_bigcode openai-gpt codegen llama mistral mixtral qwen2 qwen3 gemma gemma2 phi phi3 opt bloom falcon mpt smollm3".split(
    " ",
  ),
);

/**
 * Finds what a graph computes, by the names and ranks of optimum's exporters and, where two heads look alike, by the class in config.json. Fails
 * with `invalid_request` for what Weir cannot serve.
 */
export function headOf(graph: Graph, settings: ModelSettings): GraphHead {
  const has = (name: string, rank: number) => graph.outputs.some((output) => output.name === name && output.dims.length === rank);
  if (graph.inputs.some(({ name }) => isCache(name))) return GENERATE;
  if (has("start_logits", 2) && has("end_logits", 2)) return { head: "answer", outputs: ["start_logits", "end_logits"], holds: "tokens" };
  if (has("sentence_embedding", 2)) return { head: "embed", outputs: ["sentence_embedding"], holds: "rows" };
  for (const output of ["last_hidden_state", "token_embeddings"])
    if (has(output, 3)) return { head: "embed", outputs: [output], holds: "pooled" };
  const logits = graph.outputs.find(({ name }) => name === "logits");
  const head = logits && headOfLogits(logits, settings);
  if (head === undefined) throw unservable(graph.outputs);
  return { head, outputs: ["logits"], holds: head === "classify" ? "rows" : "tokens" };
}

/** What the graph and the files say together; what they contradict each other in is refused. */
export function factsOf(graph: Graph, settings: ModelSettings, also: { readonly dtypes: Dtype[]; readonly chats?: boolean }): VersionFacts {
  const found = headOf(graph, settings);
  if (found.head !== "generate") checkInputs(graph.inputs);
  const { family, tokensMax } = settings;
  const facts = { head: found.head, family, tokensMax, ...also, graph: tensorsOf(graph) };
  const width = graph.outputs.find(({ name }) => name === found.outputs[0])?.dims.at(-1);
  switch (found.head) {
    case "classify":
    case "tag":
      return { ...facts, labels: [...labelsOf(settings, width)] };
    case "embed": {
      const dimensions = dimensionsOf(found, settings, width);
      return dimensions === undefined ? facts : { ...facts, dimensions };
    }
    case "fill":
      if (settings.maskId === undefined) throw unfit("tokenizer_config.json", "it names no mask token, which fill-mask needs");
      return facts;
    default:
      return facts;
  }
}

/**
 * Whether an input's numbers stay the same whatever else is in its batch. The 8-bit graphs of the Hugging Face layout quantise activations
 * as they run, by the range of the whole batch: with MiniLM an empty text falls from cosine 0.984 to 0.962 in bad company, and one tenant's
 * texts would move another's vectors. Their inputs run one by one, which costs a quarter of the speed at 32 tokens and a tenth at 128.
 * A decoder's classifier reads the last token that is not padding: without a padding id the graph cannot tell which that is, and transformers
 * refuses batches, too (`GPT2ForSequenceClassification`).
 */
export function isBatchable(dtype: Dtype, { head }: GraphHead, { family, isPadKnown }: ModelSettings): boolean {
  if (dtype === "q8" || dtype === "int8" || dtype === "uint8") return false;
  return head !== "classify" || isPadKnown || !CAUSAL_FAMILIES.has(family);
}

/** The configuration's labels; transformers leaves out those that it would name itself. Fails with `invalid_request` if the head has another width. */
export function labelsOf({ labels }: ModelSettings, width: number | undefined): readonly string[] {
  if (width === undefined) {
    if (labels === undefined) throw unfit("config.json", "neither id2label nor the graph says how many labels there are");
    return labels;
  }
  if (labels === undefined) return Array.from({ length: width }, (_, id) => `LABEL_${id}`);
  if (labels.length === width) return labels;
  throw new Failure("invalid_request", `config.json names ${labels.length} labels, and the graph's logits have ${width}.`, {
    field: "config.json",
  });
}

const GENERATE: GraphHead = { head: "generate", outputs: ["logits"], holds: "tokens" };

/** The head of a version's graph, from what intake noted of it; a decoder's cache is not noted. */
export function notedHeadOf(facts: VersionFacts, settings: ModelSettings): GraphHead {
  return facts.head === "generate" ? GENERATE : headOf(graphOf(facts), settings);
}

function graphOf({ graph }: Pick<VersionFacts, "graph">): Graph {
  if (graph === undefined) throw new Failure("engine_failed", "The version was checked by an older Weir: publish it again.");
  const shapes = (tensors: readonly TensorFacts[]): TensorShape[] =>
    tensors.flatMap(({ name, type, dims }) =>
      isElementType(type) ? [{ name, type, dims: dims.map((dim) => (dim < 0 ? undefined : dim)) }] : [],
    );
  return { inputs: shapes(graph.inputs), outputs: shapes(graph.outputs) };
}

function headOfLogits({ dims }: TensorShape, settings: ModelSettings): Head | undefined {
  const architecture = settings.architectures[0] ?? "";
  // Replaced-token detection has logits of two dimensions too, but the second is the text's length.
  if (dims.length === 2) return dims[1] !== undefined || architecture.endsWith("ForSequenceClassification") ? "classify" : "detect";
  if (dims.length !== 3) return undefined;
  if (architecture.endsWith("ForTokenClassification")) return "tag";
  if (architecture.endsWith("ForMaskedLM")) return "fill";
  const isVocabulary = dims[2] === undefined ? settings.labels === undefined : dims[2] === settings.vocabSize;
  if (!isVocabulary) return "tag";
  // A decoder that was exported without its cache would compute the whole text again for each token.
  return settings.maskId !== undefined && !CAUSAL_FAMILIES.has(settings.family) ? "fill" : undefined;
}

function unservable(outputs: readonly TensorShape[]): Failure {
  const seen = outputs.slice(0, NAMED_TENSORS_MAX).map(({ name, dims }) => `${name}[${dims.map((dim) => dim ?? "?").join(",")}]`);
  return new Failure(
    "invalid_request",
    `The graph answers with ${seen.join(", ")}; Weir serves embeddings, classification of texts and tokens, question answering, fill-mask, replaced-token detection, and generation with a key/value cache.`,
  );
}

/** Fails with `invalid_request` if the graph wants an input that no tokenizer gives. */
function checkInputs(inputs: readonly TensorShape[]): void {
  const unknown = inputs.filter(({ name, type }) => !FED.includes(name) || !FED_TYPES.includes(type));
  if (unknown.length > 0) {
    const named = unknown.slice(0, NAMED_TENSORS_MAX).map(({ name, type }) => `${name} (${type})`);
    throw new Failure("invalid_request", `The graph wants ${named.join(", ")}, which Weir does not feed.`);
  }
  if (!inputs.some(({ name }) => name === "input_ids")) throw new Failure("invalid_request", "The graph has no input named input_ids.");
}

function dimensionsOf({ holds }: GraphHead, { otherModules, poolings }: ModelSettings, width: number | undefined): number | undefined {
  if (holds === "pooled" && otherModules.length > 0)
    throw unfit("modules.json", `${otherModules.join(", ")} must be part of the graph (an output named sentence_embedding)`);
  return width === undefined || holds === "rows" ? width : width * poolings.length;
}

function tensorsOf({ inputs, outputs }: Graph): VersionFacts["graph"] {
  const said = (tensors: readonly TensorShape[]): TensorFacts[] =>
    tensors.filter(({ name }) => !isCache(name)).map(({ name, type, dims }) => ({ name, type, dims: dims.map((dim) => dim ?? -1) }));
  return { inputs: said(inputs), outputs: said(outputs) };
}
