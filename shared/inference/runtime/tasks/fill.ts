import { Failure } from "../../../base/failure.ts";
import type { Filled, FillRequest } from "../../contract.ts";
import type { EncodedInput, TextCoder } from "../coder.ts";
import type { PlanTask, Rows, TaskModel } from "../plan.ts";
import { checkCount, FILLINGS_MAX, MASKS_MAX, naming, TARGETS_MAX, TOP_K_MAX, within } from "./limits.ts";
import { indexesOfLargest, softmax } from "./numbers.ts";

const TOP_K_DEFAULT = 5;

type Masked = EncodedInput & { readonly keep: Int32Array };
type Choice = { readonly token: number; readonly score: number };

/**
 * Fill-mask (transformers 5.18, `FillMaskPipeline`): of each mask the likeliest tokens, under the softmax over the whole vocabulary even where only
 * some targets are asked for. Only the masks' rows leave the graph: a row is as wide as the vocabulary.
 */
export const planFill: PlanTask<FillRequest> = async (request, model, signal) => {
  const topK = within(request.topK, { field: "topK", min: 1, max: TOP_K_MAX, otherwise: TOP_K_DEFAULT });
  const targets = request.targets === undefined ? undefined : await targetIdsOf(request.targets, model.coder);
  const inputs = await maskedInputs(request, model, signal);
  const masks = inputs.reduce((sum, { keep }) => sum + keep.length, 0);
  checkCount(masks * topK, FILLINGS_MAX, { field: "topK", what: "fillings (masks times topK)" });
  return {
    inputs,
    inputTokens: inputs.map(({ ids }) => ids.length),
    finish: async (rows) => {
      const choices = inputs.map((_, at) => choicesIn(rows[at], { topK, targets }));
      return { task: "fill", items: await filledIn(inputs, choices, model) };
    },
  };
};

async function maskedInputs({ texts }: FillRequest, { coder, settings }: TaskModel, signal?: AbortSignal): Promise<Masked[]> {
  const inputs = texts.map((text) => ({ kind: "text", text }) as const);
  // A mask is spelled in the text, so here the spelling of a special token is that token; and cutting might lose one.
  const encoded = await naming(coder.encode(inputs, { overlong: "refuse", specialText: "token" }, signal), (index) => `texts.${index}`);
  return encoded.map((input, index) => {
    const keep = Int32Array.from(input.ids.keys()).filter((at) => input.ids[at] === settings.maskId);
    const field = `texts.${index}`;
    if (keep.length === 0) throw new Failure("invalid_request", `The text has no ${settings.maskToken} to fill.`, { field });
    checkCount(keep.length, MASKS_MAX, { field, what: "masks in one text" });
    return { ...input, keep };
  });
}

/** `get_target_ids`: a token of the vocabulary that is spelled so, else the first token of the word; each once. */
async function targetIdsOf(targets: readonly string[], coder: TextCoder): Promise<readonly number[]> {
  checkCount(targets.length, TARGETS_MAX, { field: "targets", what: "targets" });
  const spelled = await coder.find(targets);
  const words = targets.filter((_, at) => spelled[at] === undefined).map((text) => ({ kind: "text", text }) as const);
  const located = (await naming(coder.locate(words, { overlong: "cut" }), () => "targets")).map(([word]) => word);
  const firsts = located.map((word) => word?.ids.find((_, at) => word.parts[at] === 1));
  const ids = [...spelled, ...firsts].filter((id) => id !== undefined);
  if (ids.length === 0) throw new Failure("invalid_request", "No target is a word that the model can write.", { field: "targets" });
  return [...new Set(ids)];
}

/** Of each mask. */
function choicesIn(rows: Rows | undefined, { topK, targets }: { topK: number; targets: readonly number[] | undefined }): Choice[][] {
  const { values, width } = rows ?? { values: new Float32Array(), width: 1 };
  return Array.from({ length: values.length / width }, (_, mask) => {
    const scores = softmax(values.subarray(mask * width, (mask + 1) * width));
    const tokens = targets?.filter((id) => id < width);
    const best = indexesOfLargest(tokens === undefined ? scores : tokens.map((id) => scores[id] ?? 0), topK);
    return best.map((index) => {
      const token = tokens?.[index] ?? index;
      return { token, score: scores[token] ?? 0 };
    });
  });
}

/** Of each input and each of its masks. The tokenizer is asked once for all: each question is a way to its thread and back. */
async function filledIn(inputs: readonly Masked[], choices: readonly Choice[][][], { coder, settings }: TaskModel): Promise<Filled[][][]> {
  const written = inputs.flatMap((input, at) => writtenIn(input, choices[at] ?? [], settings.padId));
  const [single, several] = [written.filter(({ isSingle }) => isSingle), written.filter(({ isSingle }) => !isSingle)];
  const tokens = (some: readonly Written[]) => some.map((each) => each.tokens);
  const [singles, others, tokenTexts] = await Promise.all([
    single.length === 0 ? [] : coder.decode(tokens(single), { skipsSpecial: true }),
    several.length === 0 ? [] : coder.decode(tokens(several), { skipsSpecial: false }),
    coder.decode(
      choices.flat(2).map(({ token }) => [token]),
      { skipsSpecial: false },
    ),
  ]);
  const sequences = new Map([
    ...single.map((each, at) => [each, singles[at]] as const),
    ...several.map((each, at) => [each, others[at]] as const),
  ]);
  let at = -1;
  const filledWith = ({ token, score }: Choice): Filled => {
    at += 1;
    const one = written[at];
    return { score, token, tokenText: tokenTexts[at] ?? "", sequence: (one && sequences.get(one)) ?? "" };
  };
  return choices.map((masks) => masks.map((some) => some.map(filledWith)));
}

/** A text with one of its masks filled. */
type Written = { readonly tokens: readonly number[]; readonly isSingle: boolean };

/** Several masks keep their special tokens in the text, or the masks that are not filled would be lost. */
function writtenIn({ ids, keep }: Masked, choices: readonly (readonly Choice[])[], padId: number): Written[] {
  return choices.flatMap((some, mask) =>
    some.map(({ token }) => ({
      tokens: [...ids.with(keep[mask] ?? 0, token).filter((id) => id !== padId)],
      isSingle: keep.length === 1,
    })),
  );
}
