import { type EngineUsage, engineUsageOf } from "./engine-usage.ts";

/** What is known of a stream's tokens before it begins. */
export type StreamTokens = {
  /** Counted from the request itself: stands for what the engine has read until it tells it. */
  readonly inputTokensEstimate: number;
  /** Texts that the engine generates, and how many of them continue one prompt. */
  readonly choices: number;
  readonly choicesPerPrompt: number;
  /** The engine tells a choice's counts so far with each of its events. */
  readonly isToldThroughout: boolean;
};

/** Of OpenAI's stream event, what tokens are counted by. */
export type StreamEvent = { readonly usage?: unknown; readonly choices?: readonly StreamChoice[] | null };
type StreamChoice = { readonly index?: unknown; readonly text?: unknown; readonly delta?: unknown };

export type StreamUsage = {
  readonly note: (event: StreamEvent) => void;
  /** By what has been noted so far. */
  readonly counted: () => EngineUsage;
  /** Whether anything has come that a caller can read. */
  readonly hasBrought: () => boolean;
};

/**
 * Counts a stream's tokens by the best word that there is: what the engine tells at the end; what it tells of each choice on the way, where it does that;
 * else, an event that brings a choice some text is one token, which is never more than a byte of it, and what was read is the estimate.
 */
export function createStreamUsage({ inputTokensEstimate, choices, choicesPerPrompt, isToldThroughout }: StreamTokens): StreamUsage {
  const ofChoices = new Map<number, OfChoice>();
  let events = 0;
  let onTheWay: EngineUsage | undefined;
  let atTheEnd: EngineUsage | undefined;

  function ofChoice(index: unknown): OfChoice {
    const place = Number.isSafeInteger(index) ? Math.max(0, Math.min(Number(index), choices - 1)) : 0;
    const known = ofChoices.get(place) ?? { place, events: 0, told: undefined };
    ofChoices.set(place, known);
    return known;
  }

  return {
    hasBrought: () => events > 0,
    note({ usage, choices: parts }) {
      for (const part of parts ?? []) {
        if (!bringsText(part)) continue;
        events += 1;
        if (isToldThroughout) ofChoice(part.index).events += 1;
      }
      if (!usage) return;
      const [only, ...others] = parts ?? [];
      if (only === undefined) atTheEnd = engineUsageOf(usage);
      else if (isToldThroughout && others.length === 0) ofChoice(only.index).told = engineUsageOf(usage);
      else onTheWay = engineUsageOf(usage);
    },
    counted() {
      if (atTheEnd !== undefined) return atTheEnd;
      const told = toldSoFar([...ofChoices.values()], choicesPerPrompt);
      if (told !== undefined) return told;
      // An engine that was not asked to may tell one choice's counts alone.
      if (onTheWay !== undefined) return { ...onTheWay, outputTokens: Math.max(onTheWay.outputTokens, events) };
      return { inputTokens: inputTokensEstimate, outputTokens: events };
    },
  };
}

type OfChoice = { readonly place: number; events: number; told: EngineUsage | undefined };

/** Each prompt once, however many choices continue it; one that nothing was told of yet is not counted. Undefined if nothing was told at all. */
function toldSoFar(choices: readonly OfChoice[], choicesPerPrompt: number): EngineUsage | undefined {
  const prompts = new Map<number, number>();
  let outputTokens = 0;
  for (const { place, told, events } of choices) {
    if (told !== undefined) prompts.set(Math.floor(place / choicesPerPrompt), told.inputTokens);
    outputTokens += told?.outputTokens ?? events;
  }
  if (prompts.size === 0) return undefined;
  return { inputTokens: [...prompts.values()].reduce((sum, tokens) => sum + tokens, 0), outputTokens };
}

/** A chat begins with an event that says who speaks and ends with one that says why it ends: neither is a token. */
function bringsText({ text, delta }: StreamChoice): boolean {
  if (typeof text === "string") return text !== "";
  if (typeof delta !== "object" || delta === null) return false;
  return Object.entries(delta).some(([name, value]) => name !== "role" && !isEmpty(value));
}

function isEmpty(value: unknown): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}
