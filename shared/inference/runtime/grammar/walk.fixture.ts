import type { Grammar } from "./grammar.ts";
import type { Matcher } from "./matcher.ts";
import type { Vocabulary } from "./written-vocabulary.ts";

/** Then a walk is led to its end; no answer of the tests' schemas needs half as many more. */
const FREE_TOKENS_MAX = 60;
const TOKENS_MAX = 20_000;
/** What ends values, in the order in which it is tried: a quote first, for within strings all others are text. */
const ENDINGS = '"}]:,0123456789nulltruefalse.-eE{[';

export function allowedTokens(matcher: Matcher): readonly number[] {
  const mask = matcher.allowed();
  const tokens: number[] = [];
  for (let token = 0; token < mask.length * 32; token++) if (((mask[token >>> 5] ?? 0) >>> (token & 31)) & 1) tokens.push(token);
  return tokens;
}

/** Writes an answer as a model without any sense would: it draws among the allowed tokens, now and then the one that is nearest to an end. */
export function walk(grammar: Grammar, { bytesOf, eosIds }: Vocabulary, draw: (below: number) => number): string {
  const matcher = grammar.start();
  const written: Uint8Array[] = [];
  const ending = endingTokens({ bytesOf, eosIds });
  for (let count = 0; count < TOKENS_MAX; count++) {
    const allowed = allowedTokens(matcher);
    if (allowed.length === 0) throw new Error(`a dead end after ${Buffer.concat(written)}`);
    const isLed = count >= FREE_TOKENS_MAX || draw(4) === 0;
    const led = isLed ? ending.find((token) => allowed.includes(token)) : undefined;
    const token = led ?? allowed[draw(allowed.length)] ?? 0;
    matcher.accept(token);
    if (eosIds.includes(token)) return Buffer.concat(written).toString("utf8");
    written.push(bytesOf[token] ?? new Uint8Array());
  }
  throw new Error(`no end after ${TOKENS_MAX} tokens: ${Buffer.concat(written).toString().slice(0, 2_000)}`);
}

function endingTokens({ bytesOf, eosIds }: Vocabulary): readonly number[] {
  const single = (character: string) => bytesOf.findIndex((bytes) => bytes?.length === 1 && bytes[0] === character.charCodeAt(0));
  return [...eosIds, ...Array.from(new Set(ENDINGS), single)];
}

/** Whether a text can be written, byte by byte, and may end there. */
export function accepts(grammar: Grammar, { bytesOf }: Vocabulary, text: string): boolean {
  const matcher = grammar.start();
  for (const byte of Buffer.from(text)) {
    const token = bytesOf.findIndex((bytes) => bytes?.length === 1 && bytes[0] === byte);
    if (token === -1 || !isAllowed(matcher, token)) return false;
    matcher.accept(token);
  }
  return matcher.isComplete();
}

/** Whether these tokens can be drawn one after another, and the answer may end there. */
export function acceptsTokens(grammar: Grammar, tokens: readonly number[]): boolean {
  const matcher = grammar.start();
  for (const token of tokens) {
    if (!isAllowed(matcher, token)) return false;
    matcher.accept(token);
  }
  return matcher.isComplete();
}

export function isAllowed(matcher: Matcher, token: number): boolean {
  return (((matcher.allowed()[token >>> 5] ?? 0) >>> (token & 31)) & 1) === 1;
}

export function refuses(matcher: Matcher, token: number): boolean {
  try {
    matcher.accept(token);
    return false;
  } catch {
    // Any error will do: the matcher has not moved.
    return true;
  }
}
