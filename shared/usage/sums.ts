import type { Quantities, SealedSum, SumKey } from "./seals/seal.ts";

type Open = SumKey & { -readonly [Name in keyof Quantities]: number };

/** Adds rows or sums up by model, version, arm, tier and price version, in whatever order they come. */
export type Summing = {
  readonly add: (sum: SealedSum) => void;
  /** By model, version, arm, tier and price version, so that the same rows give the same list. */
  readonly list: () => SealedSum[];
};

export function startSumming(): Summing {
  const sums = new Map<string, Open>();
  return {
    add(sum) {
      const { model, version, arm, tier, priceVersion } = sum;
      const key = `${model}\n${version}\n${arm}\n${tier}\n${priceVersion}`;
      const known = sums.get(key);
      if (known === undefined) return void sums.set(key, { ...sum });
      known.requests += sum.requests;
      known.inputs += sum.inputs;
      known.inputTokens += sum.inputTokens;
      known.outputTokens += sum.outputTokens;
      known.computeMs += sum.computeMs;
    },
    list: () => [...sums.values()].map((sum) => ({ ...sum })).sort(compareSums),
  };
}

/** By code units, not by a locale, which differs between machines. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function compareSums(a: SumKey, b: SumKey): number {
  return (
    compareTexts(a.model, b.model) ||
    a.version - b.version ||
    compareTexts(a.arm, b.arm) ||
    compareTexts(a.tier, b.tier) ||
    a.priceVersion - b.priceVersion
  );
}
