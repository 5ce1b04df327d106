import type { EncodedInput, TextCoder } from "../coder.ts";

/**
 * The vocabulary's spelling of every token of some inputs, input by input. Asked for at once and waited for only where it is used: it comes while the graph runs, and
 * the way to the tokenizer's thread and back costs nobody time.
 */
export function askSpellings(coder: TextCoder, inputs: readonly EncodedInput[]): () => Promise<readonly (readonly string[])[]> {
  const asked = coder.spell(inputs.flatMap(({ ids }) => [...ids]));
  asked.catch(() => {}); // told to whoever waits for it; nobody does if the run fails first
  return async () => {
    const spelled = await asked;
    let from = 0;
    return inputs.map(({ ids }) => {
      from += ids.length;
      return spelled.slice(from - ids.length, from);
    });
  };
}
