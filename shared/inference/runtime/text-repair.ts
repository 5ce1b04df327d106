/**
 * Where @huggingface/tokenizers 0.2 (JavaScript) and the Rust library that models were trained with disagree about a character, the text is
 * changed before it is tokenised so that both see the same. Each rule holds only for the tokenizers that need it.
 */
export function createTextRepair(tokenizer: object): (text: string) => string {
  const kinds = kindsIn(tokenizer);
  const rules: ((text: string) => string)[] = [];
  if (kinds.isLowercasing) rules.push(lowercaseSigma);
  if (kinds.isSpacingChinese) rules.push(spaceRareChinese);
  if (kinds.isSplittingWhitespace) rules.push(swapWhitespace);
  return (text) => rules.reduce((repaired, rule) => rule(repaired), text);
}

/** Rust lowers each character alone; JavaScript makes a word's last Σ a ς. */
const lowercaseSigma = (text: string) => text.replaceAll("Σ", "σ");

/** The library looks at UTF-16 units and so misses the ideographs beyond U+FFFF, each of which is a word of its own. */
const RARE_CHINESE = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const spaceRareChinese = (text: string) => text.replace(RARE_CHINESE, " $& ");

/** JavaScript's \s holds U+FEFF and lacks U+0085; Unicode has it the other way round. U+FFFE is in no vocabulary, as U+FEFF is not. */
const swapWhitespace = (text: string) => text.replaceAll("\u0085", " ").replaceAll("\ufeff", "\ufffe");

type Step = { readonly type?: unknown; readonly lowercase?: unknown; readonly handle_chinese_chars?: unknown };

function kindsIn(tokenizer: object) {
  const steps = stepsIn("normalizer" in tokenizer ? tokenizer.normalizer : undefined);
  const splits = stepsIn("pre_tokenizer" in tokenizer ? tokenizer.pre_tokenizer : undefined);
  return {
    isLowercasing: steps.some((step) => step.type === "Lowercase" || (step.type === "BertNormalizer" && step.lowercase === true)),
    isSpacingChinese: steps.some((step) => step.type === "BertNormalizer" && step.handle_chinese_chars === true),
    isSplittingWhitespace: splits.some((step) => step.type === "WhitespaceSplit"),
  };
}

/** The steps of a normalizer or pre-tokenizer, whether it is one step or a sequence of them. */
function stepsIn(part: unknown): Step[] {
  if (typeof part !== "object" || part === null) return [];
  const inner = "normalizers" in part ? part.normalizers : "pretokenizers" in part ? part.pretokenizers : undefined;
  return Array.isArray(inner) ? inner.flatMap(stepsIn) : [part];
}
