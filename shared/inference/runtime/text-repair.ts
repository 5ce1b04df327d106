import { partOf, stepConfigsOf } from "./library.ts";

/**
 * Where @huggingface/tokenizers 0.2 (JavaScript) and the Rust library that models were trained with disagree about a character, the text is
 * changed before it is tokenised so that both see the same. Each rule holds only for the tokenizers that need it, and looks at one character at
 * a time. What remains is the age of their Unicode tables: marks and punctuation of rare scripts that came after Unicode 8.
 */
export function createTextRepair(tokenizer: object): (text: string) => string {
  const kinds = kindsIn(tokenizer);
  const rules: ((text: string) => string)[] = [];
  if (kinds.isLowercasing) rules.push(lowercaseSigma);
  if (kinds.isSpacingChinese) rules.push(spaceRareChinese);
  return (text) => rules.reduce((repaired, rule) => rule(repaired), text);
}

/** Rust lowers each character alone; JavaScript makes a word's last Σ a ς. */
const lowercaseSigma = (text: string) => text.replaceAll("Σ", "σ");

/** The library looks at UTF-16 units and so misses the ideographs beyond U+FFFF, each of which is a word of its own; Rust leaves out 2b820 to 2b91f. */
const RARE_CHINESE = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const spaceRareChinese = (text: string) => text.replace(RARE_CHINESE, " $& ");

function kindsIn(tokenizer: object) {
  const steps = stepConfigsOf(partOf(tokenizer, "normalizer"));
  return {
    isLowercasing: steps.some((step) => step.type === "Lowercase" || (step.type === "BertNormalizer" && step["lowercase"] === true)),
    isSpacingChinese: steps.some((step) => step.type === "BertNormalizer" && step["handle_chinese_chars"] === true),
  };
}
