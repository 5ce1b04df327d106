import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskRequest } from "../../shared/inference/contract.ts";
import { createDirectCoder } from "../../shared/inference/runtime/direct-coder.ts";
import { readModelFiles } from "../../shared/inference/runtime/model-files.ts";
import { type EncoderHead, type EncoderOptions, writeEncoder } from "../harness/encoder-graph.ts";
import { folderOf } from "../harness/inference.ts";

/** A fixture's tokenizer and configuration with a graph of MiniLM's size, and a request of its task. */
export type Encoder = {
  readonly family: EncoderOptions["family"];
  readonly head: EncoderHead;
  readonly fixture: string;
  readonly requestOf: (texts: readonly string[]) => TaskRequest;
  /** A word that the fixture's tokenizer makes one token of, and what stands before the words. */
  readonly word: string;
  readonly opening?: string;
};

const LAYERS = 6;
const SHAPE = { layers: LAYERS, heads: 12, width: 384 } as const;
const TOKENS_MAX = 512;
/** RoBERTa's positions start after its padding's id. */
const POSITIONS_MAX = TOKENS_MAX + 2;
const QUESTION = "the the the the";

const asInputs = (texts: readonly string[]) => texts.map((text) => ({ kind: "text", text }) as const);

export const ENCODERS: readonly Encoder[] = [
  {
    family: "bert",
    head: { kind: "classify", labels: 2 },
    fixture: "tiny-bert-sentiment",
    requestOf: (texts) => ({ task: "classify", inputs: asInputs(texts), overlong: "refuse" }),
    word: "the",
  },
  {
    family: "bert",
    head: { kind: "fill" },
    fixture: "tiny-bert-mlm",
    requestOf: (texts) => ({ task: "fill", texts }),
    word: "the",
    opening: "[MASK]",
  },
  {
    family: "roberta",
    head: { kind: "answer" },
    fixture: "tiny-roberta-qa",
    requestOf: (texts) => ({ task: "answer", questions: texts.map((context) => ({ question: QUESTION, context })) }),
    word: "the",
  },
  {
    family: "albert",
    head: { kind: "tag", labels: 5 },
    fixture: "tiny-albert-ner",
    requestOf: (texts) => ({ task: "tag", texts, aggregation: "simple" }),
    word: "the",
  },
  {
    family: "electra",
    head: { kind: "detect" },
    fixture: "tiny-electra-rtd",
    requestOf: (texts) => ({ task: "detect", texts }),
    word: "the",
  },
];

/** Writes a model's folder; answers its path and that of its graph. */
export async function writeModelFolder(parent: string, { family, head, fixture }: Encoder): Promise<{ folder: string; graph: string }> {
  const from = folderOf(`test/fixtures/models/${fixture}`);
  const folder = join(parent, fixture);
  const graph = join(folder, "onnx", "model.onnx");
  await mkdir(join(folder, "onnx"), { recursive: true });
  await cp(join(from, "tokenizer.json"), join(folder, "tokenizer.json"));
  const config = await readObject(join(from, "config.json"));
  await writeObject(join(folder, "config.json"), { ...config, max_position_embeddings: POSITIONS_MAX });
  const tokenizerConfig = await readObject(join(from, "tokenizer_config.json"));
  await writeObject(join(folder, "tokenizer_config.json"), { ...tokenizerConfig, model_max_length: TOKENS_MAX });
  const [vocabSize, padId] = [Number(config["vocab_size"]), Number(config["pad_token_id"])];
  await writeFile(graph, writeEncoder({ ...SHAPE, family, head, vocabSize, padId, positionsMax: POSITIONS_MAX }));
  return { folder, graph };
}

/** A text of exactly this many tokens, special ones and the question included. */
export async function createTexts(folder: string, { word, opening, head }: Encoder): Promise<(tokens: number) => string> {
  const { coder } = createDirectCoder(await readModelFiles(folder));
  const textOf = (words: number) => [...(opening === undefined ? [] : [opening]), ...new Array<string>(words).fill(word)].join(" ");
  const tokensOf = async (words: number) => {
    const text = { kind: "text", text: textOf(words) } as const;
    const input = head.kind === "answer" ? ({ kind: "text", text: QUESTION, textPair: text.text } as const) : text;
    const [encoded] = await coder.encode([input], { overlong: "refuse", specialText: "token" });
    return encoded?.ids.length ?? 0;
  };
  const around = (await tokensOf(1)) - 1;
  if ((await tokensOf(11)) !== around + 11) throw new Error(`"${word}" is not one token in ${folder}`);
  return (tokens) => textOf(tokens - around);
}

async function readObject(path: string): Promise<Record<string, unknown>> {
  // A fixture's configuration is an object.
  return JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
}

function writeObject(path: string, value: object): Promise<void> {
  return writeFile(path, JSON.stringify(value));
}
