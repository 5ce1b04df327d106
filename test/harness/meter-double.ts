import type { Meter, Metered, Reached } from "../../edge/serve/metering.ts";

export type MeterDouble = Meter & {
  /** `covered 3`, `ok 3`, `void`, …: each step with the output tokens that it was about. */
  readonly steps: string[];
};

/** A meter whose steps succeed unless `fails` says otherwise; it covers no further than it is asked. */
export function createMeterDouble(fails: (step: "cover" | "settle") => boolean = () => false): MeterDouble {
  const steps: string[] = [];
  const refuse = (step: "cover" | "settle") => {
    if (fails(step)) throw new Error("no row");
  };
  return {
    steps,
    isKept: false,
    receiptOf: () => undefined,
    prepare: () => {},
    async cover({ outputTokens }) {
      refuse("cover");
      steps.push(`covered ${outputTokens}`);
    },
    async settle({ outcome, outputTokens }) {
      refuse("settle");
      steps.push(`${outcome} ${outputTokens}`);
    },
    async answer() {
      throw new Error("streams are settled");
    },
    void: () => steps.push("void"),
  };
}

/** Counts of a row where only tokens matter. */
export function reachedOf(tokens: Pick<Metered, "outputTokens"> & Partial<Metered>): Reached {
  const served = { model: "m", version: 1, assignedVersion: 1, arm: "stable", tier: "cpu" } as const;
  return { ...served, task: "generate", inputs: 1, inputTokens: 0, computeMs: 0, ...tokens };
}
