import * as z from "zod";
import { byteLevelBytes } from "./byte-level.ts";

const Step = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("WordPiece"), prefix: z.string(), cleanup: z.boolean() }),
  z.looseObject({ type: z.literal("ByteLevel") }),
  z.looseObject({ type: z.literal("Metaspace"), replacement: z.string(), prepend_scheme: z.string().optional() }),
  z.looseObject({ type: z.literal("BPEDecoder"), suffix: z.string() }),
  z.looseObject({ type: z.literal("Replace"), pattern: z.looseObject({ String: z.string().optional() }), content: z.string() }),
  z.looseObject({ type: z.literal("Strip"), content: z.string(), start: z.int().min(0), stop: z.int().min(0) }),
  z.looseObject({ type: z.literal("Fuse") }),
]);
type Step = z.infer<typeof Step>;

const Sequence = z.looseObject({ type: z.literal("Sequence"), decoders: z.array(z.unknown()) });

/** Turns spellings of tokens into the text that they stand for. */
export type JoinTokens = (tokens: readonly string[]) => string;

/**
 * tokenizer.json's decoder for spellings that need not be in the vocabulary: of an unknown token its own text is joined, and words are joined again
 * into groups (transformers, `convert_tokens_to_string`; tokenizers, `Decoder::decode_chain`). The library decodes ids only, and its byte-level
 * decoder turns what is no byte's letter into zeros, where Rust keeps the token as it is. Steps that it does not know are left out.
 */
export function createTokenJoin(decoder: unknown): JoinTokens {
  const steps = stepsIn(decoder);
  if (steps === undefined) return (tokens) => tokens.join(" ");
  return (tokens) => steps.reduce<readonly string[]>((joined, step) => decodeStep(step, joined), tokens).join("");
}

function stepsIn(decoder: unknown): Step[] | undefined {
  if (decoder === undefined || decoder === null) return undefined;
  const sequence = Sequence.safeParse(decoder);
  if (sequence.success) return sequence.data.decoders.flatMap((inner) => stepsIn(inner) ?? []);
  const step = Step.safeParse(decoder);
  return step.success ? [step.data] : [];
}

function decodeStep(step: Step, tokens: readonly string[]): readonly string[] {
  switch (step.type) {
    case "WordPiece":
      return tokens.map((token, at) => {
        const text = at === 0 ? token : token.startsWith(step.prefix) ? token.slice(step.prefix.length) : ` ${token}`;
        return step.cleanup ? cleanUp(text) : text;
      });
    case "ByteLevel":
      return [Buffer.concat(tokens.map(byteLevelBytes)).toString("utf8")];
    case "Metaspace": {
      const isPrepended = step.prepend_scheme !== "never";
      return tokens.map((token, at) => token.replaceAll(step.replacement, at === 0 && isPrepended ? "" : " "));
    }
    case "BPEDecoder":
      return tokens.map((token, at) => token.replaceAll(step.suffix, at === tokens.length - 1 ? "" : " "));
    case "Replace": {
      const { pattern, content } = step;
      return tokens.map((token) => (pattern.String === undefined ? token : token.replaceAll(pattern.String, () => content)));
    }
    case "Strip":
      return tokens.map((token) => strip(token, step));
    case "Fuse":
      return [tokens.join("")];
  }
}

/** tokenizers, `wordpiece::cleanup`; it sees one token at a time. */
const CLEANED = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

const cleanUp = (text: string) => CLEANED.reduce((cleaner, [dirty, clean]) => cleaner.replaceAll(dirty, clean), text);

function strip(token: string, { content, start, stop }: { content: string; start: number; stop: number }): string {
  let [from, to] = [0, token.length];
  for (let count = 0; count < start && token.startsWith(content, from); count += 1) from += content.length;
  for (let count = 0; count < stop && to > from && token.endsWith(content, to); count += 1) to -= content.length;
  return token.slice(from, to);
}
