import { Failure } from "../../base/failure.ts";
import type { Head, VersionFacts } from "../../models/version.ts";
import type { TaskRequest } from "../contract.ts";
import { decoderConfigOf, readDecoder } from "../runtime/generate/decoder.ts";
import { probeDecoder } from "../runtime/generate/probe.ts";
import type { PlannedInput } from "../runtime/plan.ts";
import { firstLogits } from "./first-logits.ts";
import type { Model } from "./model.ts";

const TEXT = "Weir checks this model: 1, 2, 3.";
const SECOND_TEXT = "And a second text.";

/**
 * Runs a model the way its users will: an ordinary text, a pair, the tokenizer's highest token, the longest input. Answers with what was learned.
 * A graph that never ends is for the caller to stop, from outside of this process.
 */
export async function runGolden(model: Model): Promise<VersionFacts> {
  const { facts, idMax } = model;
  if (facts.head === "generate") return runDecoder(model);
  const request = requestFor(facts.head, model);
  const { body } = await attempt("an ordinary text", () => model.run(request));
  await attempt(`the tokenizer's highest token id, ${idMax}`, () => model.forward([tokens(idMax, 1)]));
  await attempt(`${facts.tokensMax} tokens, as its files say it can`, () => model.forward([tokens(idMax, facts.tokensMax)]));
  return body.task === "embed" ? { ...facts, dimensions: body.dimensions } : facts;
}

/** Whether a decoder can be driven, and reads what its tokenizer gives. */
async function runDecoder(model: Model): Promise<VersionFacts> {
  const { facts, idMax, coder, session, settings } = model;
  await probeDecoder(readDecoder(session, decoderConfigOf(settings)));
  const [text] = await attempt("an ordinary text", () => coder.encode([{ kind: "text", text: TEXT }], { overlong: "cut" }));
  await attempt("an ordinary text", () => firstLogits(model, text?.ids ?? new Int32Array()));
  await attempt(`the tokenizer's highest token id, ${idMax}`, () => firstLogits(model, Int32Array.of(idMax)));
  return facts;
}

function requestFor(head: Exclude<Head, "generate">, { settings }: Model): TaskRequest {
  const text = { kind: "text", text: TEXT } as const;
  switch (head) {
    case "embed":
      return { task: "embed", inputs: [text], overlong: "cut" };
    case "classify":
      return { task: "classify", inputs: [text, { ...text, textPair: SECOND_TEXT }], overlong: "cut" };
    case "tag":
      return { task: "tag", texts: [TEXT], aggregation: "simple" };
    case "answer":
      return { task: "answer", questions: [{ question: TEXT, context: SECOND_TEXT }] };
    case "fill":
      return { task: "fill", texts: [`${TEXT} ${settings.maskToken}`] };
    case "detect":
      return { task: "detect", texts: [TEXT] };
  }
}

const tokens = (id: number, count: number): PlannedInput => ({ ids: new Int32Array(count).fill(id), typeIds: new Int32Array(count) });

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    throw new Failure("invalid_request", `The model cannot read ${what}. ${cause.message}`, { cause });
  }
}
