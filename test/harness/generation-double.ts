import { createHash } from "node:crypto";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient } from "../../shared/inference/contract.ts";
import type { Finish, GenerateEvent, GenerateRequest, Prompt, ResponseFormat, TokenLogprob } from "../../shared/inference/generation.ts";

export type Generate = InferenceClient["generate"];

/** What the double reads of a prompt, and how much it says if nobody limits it; a token is a word. */
export const PROMPT_TOKENS_MAX = 64;
export const ANSWER_TOKENS = 6;

const WORDS = ["the", "weir", "holds", "water", "back", "über", "stones", "and", "meters", "what", "flows", "🌊"];

/** Generates what follows from the prompt, the seed and the choice alone; the choices take turns, a word each, as one batch would. */
export async function* runGeneration({ body }: GenerationCall, { signal }: CallLimits): AsyncGenerator<GenerateEvent, void> {
  const inputTokens = body.prompts.map((prompt, index) => countTokens(prompt, index));
  yield { kind: "begun", inputTokens };
  const choices = body.prompts.flatMap((prompt) => Array.from({ length: body.n }, (_, index) => choiceOf(body, prompt, index)));
  const stepsMax = Math.max(...choices.map(({ tokens }) => tokens.length)) + 1;
  for (let step = 0; step < stepsMax; step += 1) {
    if (signal.aborted) throw new Failure("cancelled", "The caller left.");
    for (const [choice, { tokens, finish }] of choices.entries()) {
      const token = tokens[step];
      if (token !== undefined)
        yield { kind: "text", choice, tokens: token.isEcho ? 0 : 1, text: token.text, ...logprobsOf(body, tokens, step) };
      if (step === tokens.length) yield { kind: "finished", choice, finish };
    }
  }
  const outputTokens = choices.map(({ tokens }) => tokens.filter(({ isEcho }) => !isEcho).length);
  yield { kind: "done", outputTokens, queueMs: 0, runMs: 7.6 };
}

/** Gives these events, and then waits until its caller has left. */
export function hangsAfter(...events: GenerateEvent[]): Generate {
  return async function* hangsAfter(_call, { signal }) {
    yield* events;
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    throw new Failure("cancelled", "The caller left.");
  };
}

/** Gives these events and fails. */
export function failsAfter(failure: Error, ...events: GenerateEvent[]): Generate {
  return async function* failsAfter() {
    yield* events;
    throw failure;
  };
}

/** Gives these events and ends, done or not. */
export function gives(...events: GenerateEvent[]): Generate {
  return async function* gives() {
    yield* events;
  };
}

type Token = { readonly text: string; readonly isEcho: boolean };

function choiceOf(body: GenerateRequest, prompt: Prompt, index: number): { tokens: readonly Token[]; finish: Finish } {
  const answer = body.format === undefined ? wordsFor(body, prompt, index) : [JSON.stringify(exampleOf(body.format))];
  const limited = answer.slice(0, body.maxTokens ?? answer.length);
  const stopped = limited.findIndex((word) => body.stop.includes(word.trim()));
  const said = stopped < 0 ? limited : limited.slice(0, stopped);
  const echoed = body.echo ? textOf(prompt).split(/(?=\s)/) : [];
  const tokens = [...echoed.map((text) => ({ text, isEcho: true })), ...said.map((text) => ({ text, isEcho: false }))];
  if (stopped >= 0) return { tokens, finish: { reason: "stop", stopText: limited[stopped]?.trim() ?? "" } };
  return { tokens, finish: { reason: limited.length < answer.length ? "length" : "stop" } };
}

function wordsFor({ sampling }: GenerateRequest, prompt: Prompt, index: number): string[] {
  const digest = createHash("sha256")
    .update(`${textOf(prompt)} ${sampling.seed ?? 0} ${index}`)
    .digest();
  return Array.from({ length: ANSWER_TOKENS }, (_, place) => `${place === 0 ? "" : " "}${WORDS[(digest[place] ?? 0) % WORDS.length]}`);
}

/** A value that the schema accepts, of the kinds that tests ask for. */
function exampleOf(format: ResponseFormat): unknown {
  return format.kind === "json_object" ? { water: "flows" } : exampleValue(format.schema);
}

type Schema = { readonly type?: string; readonly properties?: Record<string, unknown>; readonly items?: unknown };

function exampleValue(schema: unknown): unknown {
  const { type, properties = {}, items } = schema as Schema; // tests write object schemas
  if (type === "object") return Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, exampleValue(each)]));
  if (type === "array") return [exampleValue(items)];
  if (type === "boolean") return true;
  return type === "string" ? "weir" : 3;
}

function logprobsOf({ topLogprobs }: GenerateRequest, tokens: readonly Token[], step: number): { logprobs?: TokenLogprob[] } {
  const token = tokens[step];
  if (topLogprobs === undefined || token === undefined) return {};
  const alternatives = Array.from({ length: topLogprobs }, (_, rank) =>
    scored(rank === 0 ? token.text : ` ${WORDS[rank]}`, -0.1 * (rank + 1)),
  );
  const isFirst = token.isEcho && step === 0;
  return { logprobs: [{ ...scored(token.text, -0.1), logprob: isFirst ? null : -0.1, top: isFirst ? [] : alternatives }] };
}

function scored(text: string, logprob: number) {
  return { token: text.length, text, bytes: [...Buffer.from(text)], logprob };
}

function countTokens(prompt: Prompt, index: number): number {
  const count = prompt.kind === "tokens" ? prompt.tokenIds.length : textOf(prompt).split(/\s+/).length;
  if (count <= PROMPT_TOKENS_MAX) return count;
  const message = `prompt.${index}: has ${count} tokens, the model reads ${PROMPT_TOKENS_MAX}`;
  throw new Failure("invalid_request", message, { field: `prompt.${index}` });
}

function textOf(prompt: Prompt): string {
  switch (prompt.kind) {
    case "text":
      return prompt.text;
    case "tokens":
      return prompt.tokenIds.join(" ");
    case "chat":
      return prompt.messages.map(({ role, content }) => `${role}: ${content}`).join(" ");
  }
}

/** A generation that goes on when it is told to, so that a test can do something before each event. */
export function paced(...events: GenerateEvent[]): { generate: Generate; next: () => void } {
  let wake = () => {};
  let due = 0;
  async function* generate() {
    for (const [index, event] of events.entries()) {
      while (due <= index) await new Promise<void>((resolve) => (wake = resolve));
      yield event;
    }
  }
  return {
    generate,
    next() {
      due += 1;
      wake();
    },
  };
}
