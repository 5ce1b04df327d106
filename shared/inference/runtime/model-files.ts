import { join } from "node:path";
import * as z from "zod";
import { FilePath } from "../../models/version.ts";
import type { ClassifyFunction } from "../contract.ts";
import {
  DECODER_KEYS,
  type DecoderShape,
  decoderShapeOf,
  GenerationConfig,
  type GenerationSettings,
  generationOf,
} from "./decoder-settings.ts";
import { readJson, required, unfit } from "./read-json.ts";
import { idOf, maskOf, readChatTemplate, readSpecialTokens, type SpecialTokens, Tokenizer, TokenizerConfig } from "./token-settings.ts";

/** How token vectors become one vector; the order is the one in which sentence-transformers joins several. */
export const POOLINGS = ["cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken"] as const;
export type Pooling = (typeof POOLINGS)[number];

/** What a model's own files say of how to run it. */
export type ModelSettings = {
  /** `model_type`: bert, albert, roberta, electra, … */
  readonly family: string;
  /** The longest input, in tokens with its special ones. */
  readonly tokensMax: number;
  /** Rows of the word embeddings, if the files say; a token id at or above it would read outside of them. */
  readonly vocabSize: number | undefined;
  /** RoBERTa knows one token type only; a second would read outside of its embeddings. */
  readonly typeCount: number;
  /** What padding is made of: RoBERTa tells padding from text by this id, and it is 1 there. */
  readonly padId: number;
  /** Where a text's positions begin. */
  readonly firstPosition: number;
  /** Whether config.json names a padding id, by which a decoder's classifier finds where a text ends. */
  readonly isPadKnown: boolean;
  readonly isLowercased: boolean;
  /** Put before every text by models that were trained so (`default_prompt_name`). */
  readonly prompt: string;
  readonly poolings: readonly Pooling[];
  readonly isNormalized: boolean;
  /** Modules after the transformer that Weir does not compute; the graph must contain them. */
  readonly otherModules: readonly string[];
  readonly labels: readonly string[] | undefined;
  /** What the configuration makes of logits; absent, their number says. */
  readonly classifyFunction: ClassifyFunction | undefined;
  /** The classes that the weights were saved from, such as `BertForMaskedLM`. */
  readonly architectures: readonly string[];
  /** What fill-mask looks for; encoders trained without one, and decoders, have none. */
  readonly maskToken: string | undefined;
  readonly maskId: number | undefined;
  /** What stands for text that the vocabulary cannot write. */
  readonly unknownId: number | undefined;
  /** What the vocabulary writes before a piece that continues a word: WordPiece's `##`. */
  readonly continuingPrefix: string | undefined;
  /** tokenizer.json's decoder, for `createTokenJoin`. */
  readonly tokenDecoder: unknown;
  /** Whether a text that spells a special token stays text (`split_special_tokens`). */
  readonly splitsSpecialTokens: boolean;
  readonly specialTokens: SpecialTokens;
  /** Jinja, as the model brings it. */
  readonly chatTemplate: string | undefined;
  readonly generation: GenerationSettings;
  /** Tokens of prompt and answer together, where the files say. */
  readonly contextTokensMax: number | undefined;
  readonly decoder: DecoderShape | undefined;
};

export type ModelFiles = {
  readonly folder: string;
  readonly settings: ModelSettings;
  /** tokenizer.json and tokenizer_config.json, for the tokenizer alone. */
  readonly tokenizer: object;
  readonly tokenizerConfig: object;
};

const Config = z.looseObject({
  ...DECODER_KEYS,
  model_type: z.string().min(1),
  architectures: z.array(z.string()).nullish(),
  vocab_size: z.int().positive().optional(),
  type_vocab_size: z.int().min(0).optional(),
  max_position_embeddings: z.int().positive().nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  problem_type: z.enum(["regression", "single_label_classification", "multi_label_classification"]).nullish(),
});
type Config = z.infer<typeof Config>;

const Modules = z.array(z.looseObject({ type: z.string(), path: z.union([z.literal(""), FilePath]).optional() }));
const PoolingConfig = z.looseObject({ pooling_mode: z.enum(POOLINGS).optional(), include_prompt: z.boolean().optional() });
const SentenceBert = z.looseObject({ max_seq_length: z.int().positive().nullish(), do_lower_case: z.boolean().optional() });
const SentenceTransformers = z.looseObject({
  prompts: z.record(z.string(), z.string()).optional(),
  default_prompt_name: z.string().nullish(),
});

/** Families whose positions start after the padding id (transformers, `create_position_ids_from_input_ids`). */
const OFFSET_FAMILIES = new Set(["roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "xmod", "data2vec-text", "mpnet", "longformer"]);
/** For a model whose files do not say: what the encoders were trained with. */
const TOKENS_MAX_DEFAULT = 512;

/** Reads a model's folder in the Hugging Face layout. Fails with `invalid_request`, naming the file, if it cannot be used. */
export async function readModelFiles(folder: string): Promise<ModelFiles> {
  const read = <T>(path: string, schema: z.ZodType<T>) => readJson(folder, path, schema);
  const config = required("config.json", await read("config.json", Config));
  const tokenizer = required("tokenizer.json", await read("tokenizer.json", Tokenizer));
  const tokenizerConfig = (await read("tokenizer_config.json", TokenizerConfig)) ?? {};
  const tokens = await tokenSettings(folder, tokenizer, tokenizerConfig);
  const specialId = (name: string) => idOf(tokenizer, tokens.specialTokens[name]);
  const settings: ModelSettings = {
    ...(await embeddingSettings(read)),
    ...limitsOf(config, tokenizerConfig, (await read("sentence_bert_config.json", SentenceBert)) ?? {}),
    ...tokens,
    ...(await generationSettings(read, { config, bosId: specialId("bos_token"), eosId: specialId("eos_token") })),
    family: config.model_type,
    architectures: config.architectures ?? [],
    vocabSize: config.vocab_size,
    typeCount: config.type_vocab_size ?? 2,
    isPadKnown: graphPadIdOf(config) !== undefined,
    padId: graphPadIdOf(config) ?? specialId("pad_token") ?? 0,
    firstPosition: firstPositionOf(config),
    labels: config.id2label ? labelsOf(config.id2label) : undefined,
    classifyFunction: functionOf(config),
  };
  return { folder, settings, tokenizer, tokenizerConfig };
}

type Read = <T>(path: string, schema: z.ZodType<T>) => Promise<T | undefined>;

/** The files that sentence-transformers adds. */
async function embeddingSettings(read: Read) {
  const modules = (await read("modules.json", Modules)) ?? [];
  const pooling = await read(join(modules.find(isModule("Pooling"))?.path ?? "1_Pooling", "config.json"), PoolingConfig);
  const prompt = promptOf((await read("config_sentence_transformers.json", SentenceTransformers)) ?? {});
  if (prompt !== "" && pooling?.include_prompt === false)
    throw unfit("1_Pooling/config.json", "a prompt outside of the pooling is not supported");
  return {
    prompt,
    poolings: poolingsOf(pooling),
    isNormalized: modules.some(isModule("Normalize")),
    otherModules: modules.map(({ type }) => moduleName(type)).filter((name) => !["Transformer", "Pooling", "Normalize"].includes(name)),
  };
}

function limitsOf(config: Config, { model_max_length: tokenizerMax }: TokenizerConfig, sentenceBert: z.infer<typeof SentenceBert>) {
  return {
    isLowercased: sentenceBert.do_lower_case ?? false,
    tokensMax: tokensMaxOf(config, tokenizerMax, sentenceBert.max_seq_length) ?? TOKENS_MAX_DEFAULT,
    contextTokensMax: tokensMaxOf(config, tokenizerMax, undefined),
  };
}

async function tokenSettings(folder: string, tokenizer: Tokenizer, config: TokenizerConfig) {
  const specialTokens = await readSpecialTokens(folder, config);
  const mask = maskOf(specialTokens, tokenizer);
  return {
    specialTokens,
    maskToken: mask?.token,
    maskId: mask?.id,
    unknownId: idOf(tokenizer, specialTokens["unk_token"]),
    tokenDecoder: tokenizer["decoder"],
    continuingPrefix: tokenizer.model?.continuing_subword_prefix || undefined,
    splitsSpecialTokens: config.split_special_tokens ?? false,
    chatTemplate: await readChatTemplate(folder, config),
  };
}

type Ends = { readonly config: Config; readonly bosId: number | undefined; readonly eosId: number | undefined };

async function generationSettings(read: Read, { config, bosId, eosId }: Ends) {
  const said = (await read("generation_config.json", GenerationConfig)) ?? {};
  const generation = generationOf(config, said, { ...(bosId !== undefined && { bosId }), ...(eosId !== undefined && { eosId }) });
  return { generation, decoder: decoderShapeOf(config) };
}

/** The smallest of what the files say: the sentence-transformers limit, the tokenizer's (1e30 stands for none), and the positions. */
function tokensMaxOf(config: Config, tokenizerMax: number | null | undefined, sentenceMax: number | null | undefined) {
  const positions = config.max_position_embeddings ?? config.n_positions ?? config.n_ctx ?? undefined;
  // RoBERTa's 514 positions are 512 for text: the padding id and what lies below it are not used.
  const said = [sentenceMax, tokenizerMax, positions === undefined ? undefined : positions - firstPositionOf(config)];
  const limits = said.filter((limit): limit is number => typeof limit === "number" && limit >= 1 && limit < 1e9);
  return limits.length === 0 ? undefined : Math.floor(Math.min(...limits));
}

function firstPositionOf(config: Config): number {
  return OFFSET_FAMILIES.has(config.model_type) ? (config.pad_token_id ?? 1) + 1 : 0;
}

/** The graph was made with the configuration's: RoBERTa's positions and a decoder's classifier tell padding by it. Some say -1 for "none". */
function graphPadIdOf({ pad_token_id: said, vocab_size: vocabSize = Number.POSITIVE_INFINITY }: Config): number | undefined {
  return typeof said === "number" && said >= 0 && said < vocabSize ? said : undefined;
}

/** sentence-transformers' 1_Pooling; without it, its default for a plain transformer, the mean. */
function poolingsOf(config: z.infer<typeof PoolingConfig> | undefined): Pooling[] {
  if (config === undefined) return ["mean"];
  if (config.pooling_mode !== undefined) return [config.pooling_mode];
  const chosen = POOLINGS.filter((pooling) => config[keyOf(pooling)] === true);
  if (chosen.length === 0) throw unfit("1_Pooling/config.json", "it chooses no pooling that Weir knows");
  return chosen;
}

function keyOf(pooling: Pooling): string {
  const isTokens = ["max", "mean", "weightedmean"].includes(pooling);
  if (pooling === "cls") return "pooling_mode_cls_token";
  return isTokens
    ? `pooling_mode_${pooling}_tokens`
    : pooling === "lasttoken"
      ? "pooling_mode_lasttoken"
      : "pooling_mode_mean_sqrt_len_tokens";
}

/** transformers, `TextClassificationPipeline.postprocess`; where the head's width decides, it is decided with the logits at hand. */
function functionOf(config: Config): ClassifyFunction | undefined {
  switch (config.problem_type) {
    case "regression":
      return "none";
    case "multi_label_classification":
      return "sigmoid";
    default:
      return undefined; // one label: sigmoid; several: softmax
  }
}

function labelsOf(id2label: Readonly<Record<string, string>>): string[] {
  const count = Object.keys(id2label).length;
  return Array.from({ length: count }, (_, id) => {
    const label = id2label[id];
    if (label === undefined) throw unfit("config.json", `id2label has ${count} labels and none for ${id}`);
    return label;
  });
}

function promptOf(config: z.infer<typeof SentenceTransformers>): string {
  return config.prompts?.[config.default_prompt_name ?? ""] ?? "";
}

const moduleName = (type: string) => type.slice(type.lastIndexOf(".") + 1);
const isModule = (name: string) => (module: { type: string }) => moduleName(module.type) === name;
