/**
 * Tokenizers of today take 4 to 5 characters of prose a token, 3 to 4 of code and 1 to 2 of Chinese: so this is less than nearly any of them counts, and always less than
 * one that reads bytes. It stands for the engine's own count only where that is missing, so whoever is in doubt pays less.
 */
export const CHARACTERS_PER_TOKEN = 6;

/** What an engine reads at least for a request, by its prompt's or its messages' texts alone, each rounded down. Token ids are counted as they are; templates, tools and pictures are not. */
export function estimateInputTokens({ prompt, messages }: { readonly prompt?: unknown; readonly messages?: unknown }): number {
  if (prompt !== undefined) return tokensOfPrompt(prompt);
  return Array.isArray(messages) ? sumOf(messages, (message) => tokensOfContent(contentOf(message))) : 0;
}

function tokensOfPrompt(prompt: unknown): number {
  if (!Array.isArray(prompt)) return tokensOfText(prompt);
  return typeof prompt[0] === "number" ? prompt.length : sumOf(prompt, (each) => (Array.isArray(each) ? each.length : tokensOfText(each)));
}

/** A text, or parts of which some are texts. */
function tokensOfContent(content: unknown): number {
  return Array.isArray(content) ? sumOf(content, (part) => tokensOfText(textOf(part))) : tokensOfText(content);
}

const tokensOfText = (text: unknown) => (typeof text === "string" ? Math.floor(text.length / CHARACTERS_PER_TOKEN) : 0);
const contentOf = (message: unknown) => (isRecord(message) ? message["content"] : undefined);
const textOf = (part: unknown) => (isRecord(part) ? part["text"] : undefined);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function sumOf(parts: readonly unknown[], tokensOf: (part: unknown) => number): number {
  return parts.reduce<number>((sum, part) => sum + tokensOf(part), 0);
}
