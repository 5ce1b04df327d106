import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { Finish, GenerateEvent, GenerateRequest, Sampling } from "../../../shared/inference/generation.ts";
import type { Target } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { textInput } from "../../serve/ask.ts";
import { answerServed, answerStreamed } from "../../serve/call.ts";
import { type StreamRenderer, serveGeneration, streamGeneration } from "../../serve/generate.ts";
import type { Generation } from "../../serve/generation.ts";
import { jsonAnswer } from "../../serve/rendered.ts";
import { assertTask, type Call, nativeVersionOf } from "../../serve/serve.ts";
import { renderHfFailure } from "./failure.ts";
import type { HfRequest } from "./request.ts";
import { parametersOf, stated, textsOf } from "./rule.ts";

/** What text-generation-inference answers with when nobody says. */
const NEW_TOKENS_DEFAULT = 100;
const NEW_TOKENS_MAX = 65_536;
const STOPS_MAX = 16;

const refused = (why: string) => z.union([z.null(), z.literal(false)], { error: why }).optional();
const Stops = z.array(z.string().min(1).max(1_000)).max(STOPS_MAX).nullish();

/** https://huggingface.co/docs/text-generation-inference/reference/api_reference: what would change the text and cannot be done is refused. */
const Parameters = z.strictObject({
  max_new_tokens: z.int().positive().max(NEW_TOKENS_MAX).nullish(),
  do_sample: z.boolean().nullish(),
  temperature: z.number().positive().max(2).nullish(),
  top_k: z.int().positive().nullish(),
  top_p: z.number().positive().max(1).nullish(),
  repetition_penalty: z.number().positive().max(100).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.int().nullish(),
  stop: Stops,
  stop_sequences: Stops,
  return_full_text: z.boolean().nullish(),
  details: z.boolean().nullish(),
  grammar: z
    .strictObject(
      { type: z.enum(["json", "json_object"]), value: z.record(z.string(), z.unknown()) },
      { error: "must be {type: json, value: a JSON schema}" },
    )
    .nullish(),
  best_of: z.literal(1, { error: "one text is made of each input" }).nullish(),
  truncate: z.null({ error: "an input that does not fit is refused" }).optional(),
  typical_p: z.null({ error: "typical sampling is not offered" }).optional(),
  top_n_tokens: z.null({ error: "alternatives are answered under /v1" }).optional(),
  decoder_input_details: refused("log-probabilities of the input are answered under /v1/completions"),
  watermark: refused("texts are not marked"),
  adapter_id: z.null({ error: "there are no adapters" }).optional(),
});
type Parameters = z.infer<typeof Parameters>;

const FINISH_REASONS = { length: "length", eos: "eos_token", text: "stop_sequence" } as const;
const Details = z.object({
  finish_reason: z.enum(["length", "eos_token", "stop_sequence"]),
  generated_tokens: z.int(),
  seed: z.int().nullable(),
  prefill: z.array(z.unknown()),
  tokens: z.array(z.object({ id: z.int(), text: z.string(), logprob: z.number(), special: z.boolean() })),
});
export const Generated = z.object({ generated_text: z.string(), details: Details.optional() });

type Asked = { readonly call: Call; readonly target: Target; readonly request: HfRequest };

/** Text generation in the form of text-generation-inference, whole or as server-sent events. */
export async function answerTextGeneration(deps: Deps, c: EdgeContext, { call, target, request }: Asked): Promise<Response> {
  const parameters = parametersOf(request, Parameters);
  const texts = textsOf(request.inputs);
  for (const { text, field } of texts) textInput(text, field);
  assertTask(nativeVersionOf(target), "generate");
  const prompts = texts.map(({ text }) => text);
  if (request.stream === true && prompts.length > 1)
    throw new Failure("invalid_request", "stream: one input at a time", { field: "stream" });
  const plan = { target, ask: () => requestOf(prompts, parameters, request.stream === true) };
  if (request.stream === true) {
    return answerStreamed(c, await streamGeneration(deps, call, { ...plan, renderer: () => rendererOf(call, parameters, prompts) }));
  }
  const render = (generation: Generation) => jsonAnswer(JSON.stringify(whole(generation, parameters, prompts)));
  return answerServed(c, await serveGeneration(deps, call, { ...plan, render }));
}

/** A stream names its tokens, so it asks for them. */
function requestOf(prompts: readonly string[], parameters: Parameters, isStreamed: boolean): GenerateRequest {
  const { max_new_tokens, stop, stop_sequences, details, grammar } = parameters;
  return {
    task: "generate",
    prompts: prompts.map((text) => ({ kind: "text", text })),
    n: 1,
    maxTokens: max_new_tokens ?? NEW_TOKENS_DEFAULT,
    sampling: samplingOf(parameters),
    stop: [...(stop ?? []), ...(stop_sequences ?? [])],
    ...(details === true || isStreamed ? { topLogprobs: 0 } : {}),
    ...(grammar ? { format: { kind: "json_schema", schema: grammar.value } } : {}),
  };
}

/** Greedy unless something says that it is drawn, as text-generation-inference has it. */
function samplingOf({ do_sample, temperature, top_k, top_p, repetition_penalty, frequency_penalty, seed }: Parameters): Sampling {
  const isDrawn = do_sample === true || [temperature, top_k, top_p].some((value) => value !== null && value !== undefined);
  const drawn = isDrawn ? { temperature: temperature ?? 1, topK: top_k, topP: top_p } : { temperature: 0 };
  return stated({ ...drawn, repetitionPenalty: repetition_penalty, frequencyPenalty: frequency_penalty, seed });
}

function whole({ choices, outputTokens }: Generation, parameters: Parameters, prompts: readonly string[]): z.infer<typeof Generated>[] {
  return choices.map(({ text, finish, logprobs }, index) => {
    const generated_text = fullText(parameters, prompts[index], text);
    if (parameters.details !== true) return { generated_text };
    const tokens = logprobs.map(({ token, text, logprob }) => ({ id: token, text, logprob: logprob ?? 0, special: false }));
    return { generated_text, details: { ...endOf(finish, outputTokens[index] ?? 0, parameters), prefill: [], tokens } };
  });
}

function fullText({ return_full_text }: Parameters, prompt: string | undefined, text: string): string {
  return return_full_text === true ? `${prompt ?? ""}${text}` : text;
}

function endOf({ reason, stopText }: Finish, tokens: number, { seed }: Parameters) {
  const finish_reason = reason === "length" ? FINISH_REASONS.length : stopText === undefined ? FINISH_REASONS.eos : FINISH_REASONS.text;
  return { finish_reason, generated_tokens: tokens, seed: seed ?? null };
}

type TextEvent = Extract<GenerateEvent, { kind: "text" }>;

/** One event a piece of text, the last with the whole of it: so the last piece waits until the end is known. */
function rendererOf(call: Call, parameters: Parameters, prompts: readonly string[]): StreamRenderer {
  let held: TextEvent | undefined;
  let [index, text] = [0, ""];
  const eventOf = (event: TextEvent | undefined, end: object) => {
    index += 1;
    const token = event?.logprobs?.at(-1);
    const said = { id: token?.token ?? 0, text: event?.text ?? "", logprob: token?.logprob ?? 0, special: false };
    return `data:${JSON.stringify({ index, token: said, generated_text: null, details: null, ...end })}\n\n`;
  };
  return {
    begun: () => "",
    text(event) {
      const before = held;
      held = event;
      text += event.text;
      return before === undefined ? "" : eventOf(before, {});
    },
    end({ finishes, outputTokens }) {
      const [finish] = finishes;
      const details = finish && endOf(finish, outputTokens[0] ?? 0, parameters);
      return eventOf(held, { generated_text: fullText(parameters, prompts[0], text), details });
    },
    failed: (failure) => `data:${JSON.stringify(renderHfFailure(failure, call.requestId))}\n\n`,
  };
}
