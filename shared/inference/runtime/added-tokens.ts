import type { AddedToken } from "./library.ts";
import { sliceTraced, type Traced } from "./origins.ts";

/** A part of a text: an added token that it spells, or what lies between. */
export type Section = Traced & { readonly added?: AddedToken };

/** Where a spelled special token is text all the same; what a place lies inside of is not a token. */
export type Guards = {
  /** All special tokens are text. */
  readonly isText: boolean;
  /** UTF-16 units behind the first character of such tokens, in order. */
  readonly places: readonly number[];
};

export type AddedTokenSplitter = (text: Traced, guards: Guards) => Section[];

type Node = { readonly next: Map<number, Node>; token?: AddedToken };

/**
 * Cuts a text at the added tokens that it spells (tokenizers, `AddedVocabulary::find_matches`): the longest at the first place wins, a token that
 * wants a word of its own must stand alone, and one that strips takes the blanks beside it.
 */
export function createAddedTokenSplitter(tokens: readonly { readonly content: string; readonly token: AddedToken }[]): AddedTokenSplitter {
  const root = trieOf(tokens);
  return (traced, guards) => {
    if (tokens.length === 0) return traced.text === "" ? [] : [traced];
    const sections: Section[] = [];
    let doneUntil = 0;
    for (let at = 0; at < traced.text.length; ) {
      const match = matchAt(root, traced.text, at);
      if (match === undefined || !stands(match, traced.text, guards)) {
        at = match?.end ?? at + 1;
        continue;
      }
      const { start, end } = widened(match, traced.text, doneUntil);
      if (start > doneUntil) sections.push(sliceTraced(traced, doneUntil, start));
      sections.push({ ...sliceTraced(traced, start, end), added: match.token });
      at = doneUntil = end;
    }
    if (doneUntil < traced.text.length) sections.push(sliceTraced(traced, doneUntil, traced.text.length));
    return sections;
  };
}

function trieOf(tokens: readonly { readonly content: string; readonly token: AddedToken }[]): Node {
  const root: Node = { next: new Map() };
  for (const { content, token } of tokens) {
    let node = root;
    for (let unit = 0; unit < content.length; unit += 1) {
      const code = content.charCodeAt(unit);
      const next = node.next.get(code) ?? { next: new Map() };
      node.next.set(code, next);
      node = next;
    }
    if (content !== "") node.token = token;
  }
  return root;
}

type Match = { readonly token: AddedToken; readonly start: number; readonly end: number };

function matchAt(root: Node, text: string, start: number): Match | undefined {
  let found: Match | undefined;
  let node = root.next.get(text.charCodeAt(start));
  for (let end = start + 1; node !== undefined; end += 1) {
    if (node.token !== undefined) found = { token: node.token, start, end };
    node = end < text.length ? node.next.get(text.charCodeAt(end)) : undefined;
  }
  return found;
}

function stands({ token, start, end }: Match, text: string, guards: Guards): boolean {
  if (token.special && (guards.isText || guards.places.some((place) => place > start && place <= end))) return false;
  return (
    !token.single_word || !(/[\p{L}\p{M}\p{N}\p{Pc}]$/u.test(text.slice(0, start)) || /^[\p{L}\p{M}\p{N}\p{Pc}]/u.test(text.slice(end)))
  );
}

function widened({ token, start, end }: Match, text: string, doneUntil: number): { start: number; end: number } {
  let [from, to] = [start, end];
  while (token.lstrip && from > doneUntil && /\p{White_Space}/u.test(text.charAt(from - 1))) from -= 1;
  while (token.rstrip && to < text.length && /\p{White_Space}/u.test(text.charAt(to))) to += 1;
  return { start: from, end: to };
}
