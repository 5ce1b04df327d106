import { Tokenizer } from "@huggingface/tokenizers";
import { Failure } from "../../base/failure.ts";

/**
 * The parts of @huggingface/tokenizers 0.2 that are used here, as its sources have them: the types that it ships cannot be resolved by Node's rules
 * and would all be `any`.
 */
export type LibraryTokenizer = {
  readonly normalizer: Part<NormalizerStep> | null;
  readonly pre_tokenizer: Part<PreTokenizerStep> | null;
  readonly post_processor: {
    post_process(tokens: string[], pair: string[] | null, addsSpecial: boolean): Arranged;
  } | null;
  readonly model: LibraryModel;
  decode(tokens: readonly number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_added_tokens_decoder(): Map<number, AddedToken>;
};

/** A step, or a sequence of them under one of these names. */
type Part<Step> = Step & {
  readonly normalizers?: readonly (Part<Step> | null)[];
  readonly tokenizers?: readonly (Part<Step> | null)[];
};
type Arranged = { readonly tokens: string[]; readonly tokens_pair?: string[]; readonly token_type_ids?: number[] };

export type AddedToken = {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
};

export type LibraryModel = {
  readonly vocab: readonly string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id?: number | null;
  readonly unk_token?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly fuse_unk: boolean;
  /** `encode` and then, where the model says so, joining what is unknown. */
  (pieces: string[]): string[];
  encode(pieces: string[]): string[];
};
export type BpeModel = LibraryModel & {
  readonly ignore_merges: boolean;
  readonly byte_fallback: boolean;
  readonly continuing_subword_suffix: string | null;
  bpe(piece: string): string[];
};
export type WordPieceModel = LibraryModel & { readonly config: { readonly continuing_subword_prefix: string } };

export const isBpe = (model: LibraryModel): model is BpeModel => "bpe" in model;
export const isWordPiece = (model: LibraryModel): model is WordPieceModel => "max_input_chars_per_word" in model;

export type NormalizerStep = { readonly pattern?: RegExp | null; normalize: (text: string) => string };
export type PreTokenizerStep = {
  readonly replacement?: string;
  readonly add_prefix_space?: boolean;
  pattern?: RegExp | null;
  pre_tokenize_text(text: string, options: { section_index: number }): string[];
};
/** A step of a normalizer, pre-tokenizer or post-processor as tokenizer.json writes it. */
export type StepConfig = { readonly type?: unknown; readonly [key: string]: unknown };

/** GPT-2's. */
const BYTE_LEVEL_PATTERN =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Fails with `invalid_request` for a tokenizer that the library cannot read. */
export function openTokenizer(json: object, config: object): LibraryTokenizer {
  try {
    const tokenizer: LibraryTokenizer = new Tokenizer(json, config);
    mend(tokenizer, json);
    return tokenizer;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it cannot be read";
    throw new Failure("invalid_request", `tokenizer.json: ${why}.`, { field: "tokenizer.json", cause });
  }
}

/** JavaScript's blanks hold U+FEFF and lack U+0085; Unicode, and so Rust, has it the other way round. */
function mend(tokenizer: LibraryTokenizer, json: object) {
  for (const { config, step } of pairSteps(partOf(json, "pre_tokenizer"), tokenizer.pre_tokenizer))
    if (config.type === "ByteLevel" && step.pattern) step.pattern = BYTE_LEVEL_PATTERN;
  for (const { config, step } of pairSteps(partOf(json, "normalizer"), tokenizer.normalizer))
    if (config.type === "Strip") step.normalize = (text) => stripped(text, config);
}

function stripped(text: string, { strip_left: isLeft, strip_right: isRight }: StepConfig): string {
  const after = isLeft ? text.replace(/^\p{White_Space}+/u, "") : text;
  let end = after.length;
  while (isRight && /\p{White_Space}/u.test(after.charAt(end - 1))) end -= 1;
  return after.slice(0, end);
}

/** The steps of a part with what tokenizer.json says of each, sequences laid out flat. */
export function pairSteps<Step extends object>(config: unknown, part: Part<Step> | null): { config: StepConfig; step: Step }[] {
  if (part === null || !isObject(config)) return [];
  const inner = part.normalizers ?? part.tokenizers;
  const configs = innerOf(config);
  if (inner === undefined || configs === undefined) return [{ config, step: part }];
  return inner.flatMap((each, index) => pairSteps(configs[index], each));
}

/** The same for what has no steps to pair: a part of tokenizer.json alone. */
export function stepConfigsOf(config: unknown): StepConfig[] {
  if (!isObject(config)) return [];
  const inner = innerOf(config);
  return inner === undefined ? [config] : inner.flatMap(stepConfigsOf);
}

export function partOf(json: object, name: "normalizer" | "pre_tokenizer" | "post_processor"): unknown {
  return isObject(json) ? json[name] : undefined;
}

function innerOf(config: StepConfig): unknown[] | undefined {
  const inner = config["normalizers"] ?? config["pretokenizers"] ?? config["processors"];
  return Array.isArray(inner) ? inner : undefined;
}

function isObject(value: unknown): value is StepConfig {
  return typeof value === "object" && value !== null;
}
