import { LRUCache } from "lru-cache";
import type { Caller } from "../../../shared/keys/principal.ts";
import { mayName } from "../../../shared/models/reference.ts";
import type { Duration, ModelStatistics, Statistics } from "../../../shared/oip/descriptions.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { referenceOf } from "./reference.ts";

/** Counters kept at once, one for each tenant and version; the one that was not touched for longest goes first. */
const COUNTERS_MAX = 10_000;
const NS_PER_MS = 1_000_000;

/** Whose request it was, and of which version. */
export type Counted = { readonly tenant: string; readonly model: string; readonly version: number };
/** A request that was answered: its inputs, and what it took from its acceptance on; in the queue and on the pool where that is known. */
export type Answered = {
  readonly atMs: number;
  readonly inputs: number;
  readonly totalMs: number;
  readonly queueMs?: number;
  readonly runMs?: number;
};

/** Requests that this gateway process served under `/v2`, in memory only: bills and reports are made from the ledger. */
export type StatisticsKeeper = {
  readonly answered: (counted: Counted, answered: Answered) => void;
  readonly failed: (counted: Counted, totalMs: number) => void;
  readonly of: (counted: Counted) => ModelStatistics;
  /** Of the caller's tenant, all versions that it called and that the caller may name. */
  readonly all: (caller: Caller) => ModelStatistics[];
};

export function createStatisticsKeeper(): StatisticsKeeper {
  const counters = new LRUCache<string, { readonly counted: Counted; readonly statistics: ModelStatistics }>({ max: COUNTERS_MAX });
  const keyOf = ({ tenant, model, version }: Counted) => `${tenant}\n${model}@${version}`;
  const counterOf = (counted: Counted): ModelStatistics => {
    const statistics = counters.get(keyOf(counted))?.statistics ?? emptyStatistics(counted);
    counters.set(keyOf(counted), { counted, statistics });
    return statistics;
  };
  return {
    answered(counted, { atMs, inputs, totalMs, queueMs, runMs }) {
      const counter = counterOf(counted);
      counter.last_inference = atMs;
      counter.inference_count += inputs;
      counter.execution_count += 1;
      const { success, queue, compute_infer } = counter.inference_stats;
      for (const [duration, ms] of [
        [success, totalMs],
        [queue, queueMs],
        [compute_infer, runMs],
      ] as const)
        if (ms !== undefined) add(duration, ms);
    },
    failed: (counted, totalMs) => add(counterOf(counted).inference_stats.fail, totalMs),
    of: (counted) => counters.peek(keyOf(counted))?.statistics ?? emptyStatistics(counted),
    all: ({ tenant, models }) =>
      [...counters.values()]
        .filter(
          ({ counted: { tenant: whose, model, version: number } }) =>
            whose === tenant && mayName(models, { kind: "version", model, number }),
        )
        .sort(({ counted: a }, { counted: b }) => (a.model === b.model ? a.version - b.version : a.model < b.model ? -1 : 1))
        .map(({ statistics }) => statistics),
  };
}

/** `GET /v2/models/stats`: the versions that this tenant called, of those that the key may name. */
export function answerAllStatistics(keeper: StatisticsKeeper) {
  return (c: EdgeContext) => c.json({ model_stats: keeper.all(c.get("principal")) } satisfies Statistics);
}

/** `GET /v2/models/{m}[/versions/{v}]/stats`: every version of the model, or this one. */
export function answerStatistics(deps: Deps, keeper: StatisticsKeeper) {
  return async function answerStatistics(c: EdgeContext) {
    const caller = c.get("principal");
    const { tenant } = caller;
    const wanted = c.req.param("version");
    const versions = await deps.catalog.versionsOf({ reference: referenceOf(c), caller });
    const chosen =
      wanted === undefined ? versions : [(await deps.catalog.resolve({ reference: referenceOf(c), caller, unit: tenant })).version];
    const ready = chosen.filter(({ state }) => state === "ready"); // a foreign engine is under /v1 only
    const model_stats = ready.map(({ model, number }) => keeper.of({ tenant, model, version: number }));
    return c.json({ model_stats } satisfies Statistics);
  };
}

function add(duration: Duration, ms: number) {
  duration.count += 1;
  duration.ns += Math.round(ms * NS_PER_MS);
}

function emptyStatistics({ model, version }: Counted): ModelStatistics {
  const none = () => ({ count: 0, ns: 0 });
  return {
    ...{ name: model, version: String(version), last_inference: 0, inference_count: 0, execution_count: 0 },
    inference_stats: {
      ...{ success: none(), fail: none(), queue: none() },
      ...{ compute_input: none(), compute_infer: none(), compute_output: none() },
      ...{ cache_hit: none(), cache_miss: none() },
    },
    batch_stats: [],
  };
}
