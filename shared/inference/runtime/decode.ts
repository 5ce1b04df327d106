import { isBpe, type LibraryTokenizer } from "./library.ts";

/**
 * Tokens to text (transformers 5, `TokenizersBackend._decode`): blanks before punctuation are taken away only where the configuration says so, and
 * never for byte pairs, whose texts it would spoil.
 */
export function createDecoder(tokenizer: LibraryTokenizer, config: object) {
  const cleans = "clean_up_tokenization_spaces" in config && config.clean_up_tokenization_spaces === true && !isBpe(tokenizer.model);
  return (tokens: readonly number[], skipsSpecial: boolean): string => {
    const known = tokens.filter((token) => tokenizer.id_to_token(token) !== undefined);
    // The library refuses to decode nothing.
    return known.length === 0 ? "" : tokenizer.decode(known, { skip_special_tokens: skipsSpecial, clean_up_tokenization_spaces: cleans });
  };
}
