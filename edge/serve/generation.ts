import { Failure } from "../../shared/base/failure.ts";
import type { Finish, GenerateEvent, GenerateRequest, TokenLogprob } from "../../shared/inference/generation.ts";
import { GATHERED_CHARS_MAX } from "../limits.ts";

/** A whole generation; choice `p * n + i` is the i-th answer to prompt p. */
export type Generation = {
  readonly choices: readonly GeneratedChoice[];
  /** Of each prompt. */
  readonly inputTokens: readonly number[];
  /** Of each choice. */
  readonly outputTokens: readonly number[];
};

export type GeneratedChoice = {
  readonly text: string;
  readonly finish: Finish;
  /** Empty where none were asked for. */
  readonly logprobs: readonly TokenLogprob[];
};

/** What is known of a generation while it runs. */
export type Progress = {
  inputTokens: readonly number[];
  outputTokens: number[];
  /** Of each choice, once it has one; whole when the generation is done. */
  readonly finishes: Finish[];
  finishedCount: number;
  runMs: number;
  hasBegun: boolean;
  /** Whether a caller can have read anything. */
  hasText: boolean;
};

export function progressOf({ prompts, n }: GenerateRequest): Progress {
  const outputTokens = new Array<number>(prompts.length * n).fill(0);
  return { inputTokens: [], outputTokens, finishes: [], finishedCount: 0, runMs: 0, hasBegun: false, hasText: false };
}

/** Takes note of the next event. An order that the contract does not know is the engine's fault: what cannot be metered is not answered. */
export function take(progress: Progress, event: GenerateEvent) {
  if (progress.hasBegun === (event.kind === "begun")) throw outOfOrder(event);
  switch (event.kind) {
    case "begun":
      progress.hasBegun = true;
      progress.inputTokens = event.inputTokens;
      return;
    case "text":
      progress.hasText ||= event.text !== "";
      progress.outputTokens[event.choice] = openTokens(progress, event) + event.tokens;
      return;
    case "finished":
      openTokens(progress, event);
      progress.finishes[event.choice] = event.finish;
      progress.finishedCount += 1;
      return;
    case "done":
      if ([progress.finishedCount, event.outputTokens.length].some((count) => count !== progress.outputTokens.length))
        throw outOfOrder(event);
      progress.outputTokens = [...event.outputTokens];
      progress.runMs = event.runMs;
  }
}

/** Collects a generation. Fails with `engine_failed` if it ends before it is done. */
export async function gather(events: AsyncIterable<GenerateEvent>, progress: Progress): Promise<Generation> {
  const texts = progress.outputTokens.map(() => "");
  const logprobs = progress.outputTokens.map((): TokenLogprob[] => []);
  let chars = 0;
  for await (const event of events) {
    take(progress, event);
    if (event.kind === "done") return wholeOf(progress, texts, logprobs);
    if (event.kind !== "text") continue;
    texts[event.choice] += event.text;
    logprobs[event.choice]?.push(...(event.logprobs ?? []));
    chars += charsOf(event);
    if (chars > GATHERED_CHARS_MAX) throw tooLarge();
  }
  throw brokenOff();
}

/** An answer that ends before it is done. */
export function brokenOff(): Failure {
  return new Failure("engine_failed", "The model broke off its answer.");
}

export function outOfOrder({ kind }: GenerateEvent): Failure {
  const cause = new Error(`the event '${kind}' came out of order`);
  return new Failure("engine_failed", "The model's answer makes no sense.", { cause });
}

function wholeOf(progress: Progress, texts: readonly string[], logprobs: readonly TokenLogprob[][]): Generation {
  const { inputTokens, outputTokens, finishes } = progress;
  const choices = finishes.map((finish, choice) => ({ text: texts[choice] ?? "", finish, logprobs: logprobs[choice] ?? [] }));
  return { choices, inputTokens, outputTokens };
}

/** What an event takes as JSON, about. */
function charsOf({ text, logprobs = [] }: Extract<GenerateEvent, { kind: "text" }>): number {
  return logprobs.reduce((sum, { top }) => sum + (top.length + 1) * LOGPROB_CHARS, text.length);
}

const LOGPROB_CHARS = 64;

/** The tokens so far of a choice that exists and is not finished. */
function openTokens({ outputTokens, finishes }: Progress, event: Extract<GenerateEvent, { choice: number }>): number {
  const tokens = outputTokens[event.choice];
  if (tokens === undefined || finishes[event.choice] !== undefined) throw outOfOrder(event);
  return tokens;
}

function tooLarge(): Failure {
  const message = "The answer is too large to be sent as a whole: ask for fewer tokens or log-probabilities, or for a stream.";
  return new Failure("invalid_request", message, { field: "max_tokens" });
}
