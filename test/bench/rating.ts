import { PriceBook, type PriceRevision } from "../../shared/billing/prices/price-book.ts";
import { monthSpan } from "../../shared/billing/prices/price-plan.ts";
import { createRater, type RateableRow } from "../../shared/billing/prices/rating.ts";

const BAR = 1;
const ROWS_PER_SECOND_WANTED = 1_000_000;
const ROWS = 10_000_000;
/** The naive side gets fewer: it is there to agree, and to show what bigints row by row cost. */
const NAIVE_ROWS = 1_000_000;
const DISTINCT_ROWS = 1 << 17;
const MONTH = "2026-12";
const MIB = 1024 ** 2;

const CPU = { cpu: { price: "0.0000001" }, gpu: { price: "0.000002" } };
const ENTRIES = [
  { perRequest: { price: "0.00001" }, per1000InputTokens: { price: "0.02" }, perComputeMs: CPU },
  {
    model: "minilm",
    per1000InputTokens: { price: "0.01" },
    minimumPerRequest: "0.0005",
    perSecond: { peak: { of: "second", price: "0.0001" } },
  },
  { model: "writer", version: 2, perRequest: { price: "0.0001" }, per1000OutputTokens: { price: "0.06" }, perComputeMs: CPU },
];
const BOOK: PriceRevision[] = [1, 2].map((revision) => ({
  revision,
  body: PriceBook.parse({ name: "bench", currency: "EUR", effectiveFrom: `2026-${10 + revision}-10T00:00:00Z`, entries: ENTRIES }),
}));

/** A month of ten million rows on one core, against bigints row by row, which must come to the same. */
export async function benchRating(): Promise<void> {
  const rows = someRows();
  const rowAt = (place: number) => rows[place & (DISTINCT_ROWS - 1)] ?? rows[0] ?? neverRow();
  rateAll(rowAt, NAIVE_ROWS); // compiled before it is measured
  const beforeBytes = process.memoryUsage().rss;
  const startedAtMs = performance.now();
  const rated = rateAll(rowAt, ROWS);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const grownMib = (process.memoryUsage().rss - beforeBytes) / MIB;

  const naiveAtMs = performance.now();
  const naive = rateNaively(rowAt, NAIVE_ROWS);
  const naiveSeconds = (performance.now() - naiveAtMs) / 1_000;
  assertSame(rateAll(rowAt, NAIVE_ROWS), naive);

  console.table([
    { side: "weir", rows: ROWS, "rows/s": Math.round(ROWS / seconds), "more memory, MiB": Math.round(grownMib), lines: rated.size },
    { side: "bigints, row by row", rows: NAIVE_ROWS, "rows/s": Math.round(NAIVE_ROWS / naiveSeconds), lines: naive.size },
  ]);
  console.log(`bench rating ratio=${(ROWS / seconds / ROWS_PER_SECOND_WANTED).toFixed(2)} bar=${BAR}`);
}

function rateAll(rowAt: (place: number) => RateableRow, count: number): Map<string, bigint> {
  const rater = createRater(BOOK, { month: MONTH, discountBps: 0 });
  for (let place = 0; place < count; place += 1) rater.add(rowAt(place));
  return new Map(
    rater
      .finish()
      .lines.map((line) => [keyOf(line.component, [line.model, line.version, line.arm, line.tier, line.priceVersion]), line.amountPico]),
  );
}

/** Shares no code with rating but the form of keys. */
function rateNaively(rowAt: (place: number) => RateableRow, count: number): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  const seconds = new Map<string, bigint>();
  const add = (key: string, pico: bigint) => sums.set(key, (sums.get(key) ?? 0n) + pico);
  for (let place = 0; place < count; place += 1) {
    const row = rowAt(place);
    const { model, servedVersion, arm, tier, acceptedAtMs } = row;
    const revision = acceptedAtMs < Date.UTC(2026, 11, 10) ? 1 : 2;
    const parts = [model, servedVersion, arm, tier, revision];
    const [tokensIn, tokensOut, ms] = [BigInt(row.inputTokens), BigInt(row.outputTokens), BigInt(row.computeMs)];
    const compute = (tier === "gpu" ? 2_000_000n : 100_000n) * ms;
    if (model === "minilm") {
      const cost = 10_000_000n * tokensIn;
      add(keyOf("inputTokens", parts), cost);
      if (cost < 500_000_000n) add(keyOf("minimum", parts), 500_000_000n - cost);
      const second = `${revision} ${Math.floor(acceptedAtMs / 1_000)}`;
      seconds.set(second, (seconds.get(second) ?? 0n) + 1n);
    } else if (model === "writer" && servedVersion === 2) {
      add(keyOf("requests", parts), 100_000_000n);
      add(keyOf("outputTokens", parts), 60_000_000n * tokensOut);
      add(keyOf("computeMs", parts), compute);
    } else {
      add(keyOf("requests", parts), 10_000_000n);
      add(keyOf("inputTokens", parts), 20_000_000n * tokensIn);
      add(keyOf("computeMs", parts), compute);
    }
  }
  for (const [second, requests] of seconds)
    add(keyOf("peakRate", ["minilm", null, null, null, Number(second.split(" ")[0])]), requests * 100_000_000n);
  return sums;
}

function assertSame(rated: Map<string, bigint>, naive: Map<string, bigint>) {
  const differing = [...new Set([...rated.keys(), ...naive.keys()])].filter((key) => rated.get(key) !== naive.get(key));
  if (differing.length > 0) throw new Error(`the two sides differ at ${differing.slice(0, 3).join("; ")}`);
}

function keyOf(component: string, parts: readonly (string | number | null)[]): string {
  return [component, ...parts].join("|");
}

/** All over the month, the same in every run (a linear congruential generator, Numerical Recipes). */
function someRows(): RateableRow[] {
  const { fromMs, toMs } = monthSpan(MONTH);
  let state = 1;
  const below = (count: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  return Array.from({ length: DISTINCT_ROWS }, () => ({
    model: ["minilm", "writer", "sentiment", "other"][below(4)] ?? "",
    servedVersion: 1 + below(3),
    arm: below(10) === 0 ? "canary" : "stable",
    tier: below(5) === 0 ? ("gpu" as const) : ("cpu" as const),
    inputTokens: 1 + below(500),
    outputTokens: 1 + below(300),
    computeMs: 1 + below(200),
    acceptedAtMs: fromMs + below(toMs - fromMs),
  }));
}

function neverRow(): never {
  throw new Error("there are rows");
}
