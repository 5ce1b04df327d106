import * as z from "zod";

/** What a model's files say of how it continues a text; callers may override what is not an id. */
export type GenerationSettings = {
  readonly bosId: number | undefined;
  /** Any of them ends a text. */
  readonly eosIds: readonly number[];
  /** What fills the place of a token that is not there; a mask hides it, so a model without one pads with its end. */
  readonly padId: number;
  /** Whether tokens are drawn (`do_sample`) where the caller does not say. */
  readonly samples: boolean;
  readonly temperature: number | undefined;
  readonly topK: number | undefined;
  readonly topP: number | undefined;
  readonly minP: number | undefined;
  readonly repetitionPenalty: number | undefined;
};

/** What a decoder's cache is made of: `[batch, keyValueHeads, tokens, headDim]`, twice a layer. */
export type DecoderShape = {
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
};

const Id = z.int().min(0);
const Ids = z.union([Id, z.array(Id).max(100)]).nullish();
const Size = z.int().positive().nullish();

/** Both config.json and generation_config.json may say these. */
const Generation = z.object({
  bos_token_id: Ids,
  eos_token_id: Ids,
  pad_token_id: z.int().nullish(),
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
});
export const GenerationConfig = Generation.loose();
export type GenerationConfig = z.infer<typeof GenerationConfig>;

/** The keys of config.json that only decoders need; GPT-2 has its own names for them. */
export const DECODER_KEYS = {
  ...Generation.shape,
  n_positions: Size,
  n_ctx: Size,
  n_embd: Size,
  n_head: Size,
  n_layer: Size,
  hidden_size: Size,
  num_attention_heads: Size,
  num_hidden_layers: Size,
  num_key_value_heads: Size,
  head_dim: Size,
};
const DecoderConfig = z.looseObject(DECODER_KEYS);
type DecoderConfig = z.infer<typeof DecoderConfig>;

/** generation_config.json comes first, then config.json, then what the tokenizer calls its end (transformers, `GenerationConfig.from_model_config`). */
export function generationOf(config: DecoderConfig, generation: GenerationConfig, tokens: { bosId?: number; eosId?: number }) {
  const said = <Key extends keyof z.infer<typeof Generation>>(key: Key) => generation[key] ?? config[key] ?? undefined;
  const eosIds = listOf(said("eos_token_id") ?? tokens.eosId);
  const padId = said("pad_token_id");
  return {
    bosId: listOf(said("bos_token_id") ?? tokens.bosId)[0],
    eosIds,
    padId: padId !== undefined && padId >= 0 ? padId : (eosIds[0] ?? 0),
    samples: said("do_sample") ?? false,
    temperature: said("temperature"),
    topK: said("top_k"),
    topP: said("top_p"),
    minP: said("min_p"),
    repetitionPenalty: said("repetition_penalty"),
  } satisfies GenerationSettings;
}

/** Undefined where the files do not say enough; a graph's own inputs then must. */
export function decoderShapeOf(config: DecoderConfig): DecoderShape | undefined {
  const layers = config.n_layer ?? config.num_hidden_layers;
  const heads = config.n_head ?? config.num_attention_heads;
  const hidden = config.n_embd ?? config.hidden_size;
  const headDim = config.head_dim ?? (heads && hidden && hidden % heads === 0 ? hidden / heads : undefined);
  if (!layers || !heads || !headDim) return undefined;
  return { layers, heads, keyValueHeads: config.num_key_value_heads ?? heads, headDim };
}

function listOf(ids: number | readonly number[] | undefined): readonly number[] {
  return ids === undefined ? [] : typeof ids === "number" ? [ids] : ids;
}
