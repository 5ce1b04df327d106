import { Failure } from "../../../base/failure.ts";
import type { Tagged, TagRequest } from "../../contract.ts";
import type { LocatedInput } from "../coder.ts";
import type { PlanTask, Rows, TaskModel } from "../plan.ts";
import { createTokenJoin } from "../token-text.ts";
import { entitiesOf, type Head, mergeGroups, mergeTokens, type ReadToken } from "./entities.ts";
import { checkCount, naming, PLANNED_INPUTS_MAX } from "./limits.ts";
import { softmax } from "./numbers.ts";
import { askSpellings } from "./spellings.ts";

/** Of what the model reads, how much neighbouring windows share where the caller does not say. */
const STRIDE_SHARE = 1 / 4;
const IGNORED_DEFAULT = ["O"];

/** A window of a text, and how many tokens of the text precede it. */
type Window = LocatedInput & { readonly tokensBefore: number };
/** The same once the graph has run, with the spelling of its tokens. */
type ReadWindow = Window & { readonly spellings: readonly string[]; readonly rows: Rows | undefined };

/**
 * Token classification (transformers 5.18, `TokenClassificationPipeline`) with its five aggregation strategies. Texts that the model cannot read at
 * once are read in overlapping windows, where transformers would cut them unless it is given a stride.
 */
export const planTag: PlanTask<TagRequest> = async (request, model, signal) => {
  const windows = await windowsOf(request, model, signal);
  checkCount(windows.flat().length, PLANNED_INPUTS_MAX, { field: "texts", what: "windows of texts" });
  const spelled = askSpellings(model.coder, windows.flat());
  const head = headOf(model);
  return {
    inputs: windows.flat(),
    inputTokens: windows.map((some) => some.reduce((sum, { ids }) => sum + ids.length, 0)),
    finish: async (rows) => {
      const spellings = await spelled();
      let at = 0;
      const read = (window: Window): ReadWindow => ({ ...window, rows: rows[at], spellings: spellings[at++] ?? [] });
      const items = request.texts.map((text, index) => taggedIn({ text, windows: (windows[index] ?? []).map(read) }, request, head));
      return { task: "tag", items };
    },
  };
};

async function windowsOf({ texts, stride }: TagRequest, { coder, facts }: TaskModel, signal?: AbortSignal): Promise<Window[][]> {
  if (stride !== undefined && (!Number.isInteger(stride) || stride < 0 || stride >= facts.tokensMax))
    throw new Failure("invalid_request", `stride must be a whole number below the ${facts.tokensMax} tokens that the model reads.`, {
      field: "stride",
    });
  const shared = stride ?? Math.floor(facts.tokensMax * STRIDE_SHARE);
  const inputs = texts.map((text) => ({ kind: "text", text }) as const);
  const located = await naming(coder.locate(inputs, { overlong: "windows", stride: shared }, signal), (index) => `texts.${index}`);
  return located.map((windows) => {
    const room = readTokens(windows[0]);
    const step = room - (shared < room ? shared : Math.floor(room / 2)); // as the coder's windows move
    return windows.map((window, index) => ({ ...window, tokensBefore: index * step }));
  });
}

/** Tokens of the text itself. */
const readTokens = (window: LocatedInput | undefined) => window?.parts.reduce((sum, part) => sum + (part === 0 ? 0 : 1), 0) ?? 0;

function headOf({ facts, settings }: TaskModel): Head {
  const { unknownId, continuingPrefix, tokenDecoder } = settings;
  return { labels: facts.labels ?? [], unknownId, continuingPrefix, join: createTokenJoin(tokenDecoder) };
}

type Read = { readonly text: string; readonly windows: readonly ReadWindow[] };

function taggedIn({ text, windows }: Read, { aggregation, ignoreLabels }: TagRequest, head: Head): Tagged[] {
  const ignored = new Set(ignoreLabels ?? IGNORED_DEFAULT);
  const tagged = windows.map((window) => entitiesOf(tokensIn(window), { text, aggregation }, head));
  if (aggregation === "none") return mergeTokens(tagged).filter(({ label }) => !ignored.has(label));
  // Left out after grouping, or what they separate would grow together; and before windows meet, as transformers does.
  const kept = tagged.map((some) => some.filter(({ label }) => !ignored.has(label)));
  return kept.length === 1 ? kept.flat() : mergeGroups(kept.flat());
}

function tokensIn({ ids, spans, parts, spellings, rows, tokensBefore }: ReadWindow): ReadToken[] {
  const { values, width } = rows ?? { values: new Float32Array(), width: 0 };
  return Array.from(ids, (id, index) => ({
    id,
    index: tokensBefore + index,
    spelling: spellings[index] ?? "",
    start: spans[2 * index] ?? 0,
    end: spans[2 * index + 1] ?? 0,
    scores: softmax(values.subarray(index * width, (index + 1) * width)),
  })).filter((_, index) => parts[index] !== 0);
}
