import type { ModelInput } from "../contract.ts";
import type { ChatMessage } from "../generation.ts";

/** One input as a model reads it, unpadded: `ids` and `typeIds` have the same length. */
export type EncodedInput = { readonly ids: Int32Array; readonly typeIds: Int32Array };

/** The same, with where each token comes from. */
export type LocatedInput = EncodedInput & {
  /** Start and end of each token in its own text, in UTF-16 units; 0 and 0 for special tokens. `[2 * tokens]` */
  readonly spans: Int32Array;
  /** Which text a token is of: 0 none (special), 1 the first, 2 the second. */
  readonly parts: Uint8Array;
  /** The number of the token's word in its text, as the pre-tokenizer splits it; -1 for special tokens. */
  readonly words: Int32Array;
};

export type EncodeHow = {
  /**
   * What happens to an input longer than `tokensMax`: it is refused with `invalid_request`, cut on the right (of a pair the longer text first, or only the
   * first), or read in windows: the only text, or the second of a pair, moves through as many encodings as it takes.
   */
  readonly overlong: "refuse" | "cut" | "cut-first" | "windows";
  /** Absent, what the model reads. */
  readonly tokensMax?: number;
  /** Tokens that neighbouring windows share. */
  readonly stride?: number;
  /** In windows over a pair, tokens that are kept of the first text; absent, all of them. */
  readonly firstTokensMax?: number;
  /** Whether the text already holds the special tokens that the model wants, as a rendered conversation does: then none are put around it. */
  readonly isFramed?: boolean;
  /** Whether a text that spells a special token, such as `[SEP]`, means the token; absent, the tokenizer's own `split_special_tokens` says. */
  readonly specialText?: "token" | "text";
};

/** A conversation as the model's own template writes it, and the token ids of that. */
export type Rendered = { readonly text: string; readonly ids: Int32Array };

/** A model's tokenizer behind a door: it may work in another thread, so that long texts and strange templates block nobody. */
export type TextCoder = {
  /** One encoding per input. Refusals name the input, such as `input.3`. */
  readonly encode: (inputs: readonly ModelInput[], how: EncodeHow, signal?: AbortSignal) => Promise<readonly EncodedInput[]>;
  /** The windows of each input, at least one. */
  readonly locate: (inputs: readonly ModelInput[], how: EncodeHow, signal?: AbortSignal) => Promise<readonly (readonly LocatedInput[])[]>;
  readonly decode: (tokens: readonly (readonly number[])[], how: { readonly skipsSpecial: boolean }) => Promise<readonly string[]>;
  /** The vocabulary's own spelling of each token, `##ing` or `Ġthe`; the unknown token's where there is none. */
  readonly spell: (tokens: readonly number[]) => Promise<readonly string[]>;
  /** The ids of tokens that are spelled exactly so in the vocabulary; undefined where there is none. */
  readonly find: (spellings: readonly string[]) => Promise<readonly (number | undefined)[]>;
  /** A conversation as the model's own template writes it. Fails with `invalid_request` if it has none, or refuses these messages. */
  readonly render: (messages: readonly ChatMessage[]) => Promise<string>;
  /**
   * The same for several conversations, with the ids, of any length. Special tokens of the template are tokens; what messages spell is a token or
   * stays text, as `specialText` or the tokenizer's own settings say, which ids of the rendered text alone could not tell apart.
   */
  readonly prompt: (
    conversations: readonly (readonly ChatMessage[])[],
    how?: Pick<EncodeHow, "specialText">,
    signal?: AbortSignal,
  ) => Promise<readonly Rendered[]>;
};
