import { Failure } from "../../../base/failure.ts";
import { checkLogits } from "./logprobs.ts";
import type { Matcher } from "./order.ts";
import { adjustLogits, adjusts, drawToken, type SamplingRules, type TokenMask } from "./sampling.ts";
import { createTeller, type Ranked, type TellerSettings } from "./teller.ts";

/** What one choice needs to know. */
export type ChoiceSettings = TellerSettings & {
  readonly maxTokens: number;
  readonly rules: SamplingRules;
  readonly random: () => number;
  readonly matcher: Matcher | undefined;
  readonly endTokens: ReadonlySet<number>;
};

/** One answer as it grows: draws tokens, and tells what becomes of them. */
export type Choice = {
  /** Draws the next token from a row of the model's logits. Fails with `engine_failed` if there is nothing to draw from. */
  readonly draw: (logits: Float32Array) => void;
  /** Says the prompt again, before anything is drawn. */
  readonly echo: (logprobs: readonly (Ranked | undefined)[]) => void;
  /** Ends a choice that is to draw nothing. */
  readonly close: () => void;
  readonly isFinished: () => boolean;
  /** The last token drawn, which the model reads next. */
  readonly token: () => number;
  readonly drawn: () => number;
};

export function createChoice(settings: ChoiceSettings): Choice {
  const { rules, matcher, maxTokens, endTokens } = settings;
  const teller = createTeller(settings);
  const counts = new Map<number, number>();
  const seen = new Set(rules.repetitionPenalty === 1 ? [] : settings.prompt);
  let drawn = 0;
  let token = -1;

  function take(next: number, logits: Float32Array): void {
    token = next;
    drawn += 1;
    if (endTokens.has(next)) {
      teller.end("stop", drawn);
      return;
    }
    matcher?.accept(next);
    seen.add(next);
    counts.set(next, (counts.get(next) ?? 0) + 1);
    teller.say(next, logits, drawn);
    if (drawn >= maxTokens && !teller.isFinished()) teller.end("length", drawn);
  }

  return {
    draw(logits) {
      checkLogits(logits);
      const mask = matcher === undefined ? undefined : maskOf(matcher, endTokens, logits.length);
      if (mask?.every((word) => word === 0)) {
        checkComplete(matcher);
        teller.end("stop", drawn);
        return;
      }
      const isChanged = mask !== undefined || adjusts(rules);
      const scores = isChanged ? adjustLogits(logits.slice(), rules, { seen, counts }, mask) : logits;
      take(drawToken(scores, rules, settings.random), logits);
    },
    echo: teller.echo,
    close: () => teller.end("length", drawn),
    isFinished: teller.isFinished,
    token: () => token,
    drawn: () => drawn,
  };
}

/** The grammar's tokens, and the model's end where the grammar may end. */
function maskOf(matcher: Matcher, endTokens: ReadonlySet<number>, vocabSize: number): TokenMask {
  const mask = new Uint32Array(Math.ceil(vocabSize / 32));
  mask.set(matcher.allowed().subarray(0, mask.length));
  const mayEnd = matcher.isComplete();
  for (const end of endTokens) {
    if (end >= vocabSize) continue;
    const bit = 1 << (end & 31);
    const word = mask[end >>> 5] ?? 0;
    mask[end >>> 5] = mayEnd ? word | bit : word & ~bit;
  }
  return mask;
}

/** A model without an end token ends where its grammar has nothing more to say. */
function checkComplete(matcher: Matcher | undefined): void {
  if (matcher?.isComplete() !== true) throw new Failure("engine_failed", "The grammar allows no token of the model.");
}
