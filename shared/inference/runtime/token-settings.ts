import * as z from "zod";
import { readJson, readText, TEMPLATE_BYTES_MAX, unfit } from "./read-json.ts";

/** Special tokens by the names that chat templates know: `bos_token`, `eos_token`, … */
export type SpecialTokens = Readonly<Record<string, string | readonly string[]>>;

const TokenText = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const Template = z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]);

/** Its vocabulary is left to the tokenizer: checking a quarter of a million entries here would take longer than reading them. */
export const Tokenizer = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().min(0), content: z.string(), special: z.boolean().optional() })).optional(),
  model: z.looseObject({ continuing_subword_prefix: z.string().nullish() }).optional(),
});
export type Tokenizer = z.infer<typeof Tokenizer>;

const NAMED = {
  bos_token: TokenText.nullish(),
  eos_token: TokenText.nullish(),
  unk_token: TokenText.nullish(),
  sep_token: TokenText.nullish(),
  pad_token: TokenText.nullish(),
  cls_token: TokenText.nullish(),
  mask_token: TokenText.nullish(),
  additional_special_tokens: z.array(TokenText).nullish(),
};
const TokensMap = z.looseObject(NAMED);

export const TokenizerConfig = z.looseObject({
  ...NAMED,
  model_max_length: z.number().positive().nullish(),
  split_special_tokens: z.boolean().nullish(),
  chat_template: Template.nullish(),
});
export type TokenizerConfig = z.infer<typeof TokenizerConfig>;

/** How the families write the mask that their tokenizer_config.json may leave to the tokenizer's class. */
const MASKS = ["[MASK]", "<mask>"];

/** tokenizer_config.json comes before special_tokens_map.json, which older models have besides. */
export async function readSpecialTokens(folder: string, config: TokenizerConfig): Promise<SpecialTokens> {
  const map = (await readJson(folder, "special_tokens_map.json", TokensMap)) ?? {};
  const said = Object.keys(NAMED).map((name) => [name, config[name] ?? map[name]] as const);
  return Object.fromEntries(said.filter((entry): entry is [string, string | string[]] => entry[1] !== undefined && entry[1] !== null));
}

/** The `default` template where there are several (transformers, `get_chat_template`); the file of its own comes first. */
export async function readChatTemplate(folder: string, { chat_template: said }: TokenizerConfig): Promise<string | undefined> {
  const file = await readText(folder, "chat_template.jinja", TEMPLATE_BYTES_MAX);
  const template = file ?? (Array.isArray(said) ? said.find(({ name }) => name === "default")?.template : said);
  if (template !== undefined && template !== null && template.length > TEMPLATE_BYTES_MAX)
    throw unfit("tokenizer_config.json", `its chat template has ${template.length} characters, and at most ${TEMPLATE_BYTES_MAX} are read`);
  return template ?? undefined;
}

export function maskOf(tokens: SpecialTokens, tokenizer: Tokenizer): { readonly token: string; readonly id: number } | undefined {
  const named = tokens["mask_token"];
  for (const token of typeof named === "string" ? [named] : MASKS) {
    const id = idOf(tokenizer, token);
    if (id !== undefined) return { token, id };
  }
  return undefined;
}

/** The id of a token that stands among the added ones, or in a vocabulary that is a map of tokens. */
export function idOf(tokenizer: Tokenizer, token: string | readonly string[] | undefined): number | undefined {
  if (typeof token !== "string") return undefined;
  const vocabulary = tokenizer.model?.["vocab"];
  const id = isMap(vocabulary) && Object.hasOwn(vocabulary, token) ? vocabulary[token] : undefined;
  return tokenizer.added_tokens?.find(({ content }) => content === token)?.id ?? (typeof id === "number" ? id : undefined);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
