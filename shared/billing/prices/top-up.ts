import { costOf } from "./cost.ts";
import type { EntryPlan } from "./price-plan.ts";
import type { RateableRow } from "./rating.ts";

type Usage = Pick<RateableRow, "tier" | "inputTokens" | "outputTokens" | "computeMs">;

/** What rows lack of the minimum per request, row by row. */
export type TopUp = {
  readonly add: (row: Usage) => void;
  readonly total: () => { readonly requests: bigint; readonly amountPico: bigint };
};

/** Undefined if the entry has no minimum. */
export function createTopUp(entry: EntryPlan | undefined): TopUp | undefined {
  if (entry === undefined || entry.minimumPico === 0n) return undefined;
  const prices = pricesOf(entry);
  const minimum = Number(entry.minimumPico);
  let requests = 0;
  let lacking = 0;
  let spilt = 0n;

  return {
    add(row) {
      // A sum of non-negative products that comes out below 2^53 was exact at every step; a larger one is far above any minimum, or is counted again.
      const cost =
        prices.request + row.inputTokens * prices.input + row.outputTokens * prices.output + row.computeMs * prices.computeMs[row.tier];
      if (cost > EXACT_MAX || minimum > EXACT_MAX) {
        const missing = entry.minimumPico - costOf(entry, row);
        if (missing > 0n) [requests, spilt] = [requests + 1, spilt + missing];
      } else if (cost < minimum) {
        requests += 1;
        lacking += minimum - cost;
        if (lacking > EXACT_MAX) [lacking, spilt] = [0, spilt + BigInt(lacking)];
      }
    },
    total: () => ({ requests: BigInt(requests), amountPico: spilt + BigInt(lacking) }),
  };
}

/** Half of what a number holds exactly, so that two of them can be added. */
const EXACT_MAX = 2 ** 52;

function pricesOf({ requests, inputTokens, outputTokens, computeMs }: EntryPlan) {
  const first = (scale: EntryPlan["requests"]) => Number(scale?.steps[0]?.pico ?? 0n);
  const { edge, cpu, gpu, upstream } = computeMs;
  return {
    request: first(requests),
    input: first(inputTokens),
    output: first(outputTokens),
    computeMs: { edge: first(edge), cpu: first(cpu), gpu: first(gpu), upstream: first(upstream) },
  };
}
