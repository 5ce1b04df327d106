import Big from "big.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Line } from "../line.ts";
import { minorOf } from "../money.ts";
import { PriceBook } from "../prices/price-book.ts";
import { type RateableRow, rate } from "../prices/rating.ts";
import { prepaidLine } from "./prepaid-line.ts";

const MONTH = "2026-12";
const FROM_MS = Date.UTC(2026, 11, 1);
const RUNS = 500;

/** Down to a millionth of the smallest coin, so that most lines are rounded by much. */
const price = fc.bigInt(0n, 10_000_000n).map((millionths) => new Big(millionths.toString()).div(1_000_000).toFixed());
const row = fc.record({
  model: fc.constantFrom("minilm", "gpt", "other"),
  servedVersion: fc.integer({ min: 1, max: 2 }),
  arm: fc.constantFrom("stable", "canary"),
  tier: fc.constantFrom("cpu" as const, "gpu" as const),
  inputTokens: fc.nat({ max: 50 }),
  outputTokens: fc.nat({ max: 50 }),
  computeMs: fc.nat({ max: 50 }),
  acceptedAtMs: fc.integer({ min: FROM_MS, max: FROM_MS + 86_400_000 }),
});
const scene = fc.record({
  rows: fc.array(fc.tuple(row, fc.boolean()), { maxLength: 12 }),
  currency: fc.constantFrom("EUR", "JPY"),
  discountBps: fc.oneof(fc.constantFrom(0, 1_000, 10_000), fc.nat({ max: 10_000 })),
  prices: fc.record({
    perRequest: fc.record({ price }),
    per1000InputTokens: fc.record({ price }),
    per1000OutputTokens: fc.record({ price }),
    perComputeMs: fc.record({ cpu: fc.record({ price }) }),
    minimumPerRequest: price,
  }),
  commitment: fc.option(price, { nil: undefined }),
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

const sumOf = (lines: readonly Line[]) => lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);

function rated({ rows, currency, discountBps, prices, commitment }: Scene) {
  const entries = [{ ...prices }];
  const committed = commitment === undefined ? {} : { commitment };
  const book = PriceBook.parse({ name: "b", currency, effectiveFrom: "2026-11-01T00:00:00Z", entries, ...committed });
  const rateOf = (some: readonly RateableRow[]) => rate(some, [{ revision: 1, body: book }], { month: MONTH, discountBps });
  const own = (isPaid: boolean) => rateOf(rows.filter(([, each]) => each === isPaid).map(([each]) => each));
  return { month: rateOf(rows.map(([each]) => each)), paid: own(true), due: own(false) };
}

test("a month that was paid in part is never below nothing, and off what the other rows come to by no more than the rounding of its lines", () => {
  const property = fc.property(scene, (each) => {
    const { month, paid, due } = rated(each);

    const lines = prepaidLine({ paid, month });

    const leftMinor = sumOf(month.lines) + sumOf(lines);
    expect(leftMinor >= 0n || sumOf(month.lines) < 0n).toBe(true);
    expect(leftMinor <= sumOf(month.lines) || sumOf(month.lines) < 0n).toBe(true);
    if (each.commitment === undefined) {
      const gapMinor = leftMinor - sumOf(due.lines);
      expect(gapMinor < 0n ? -gapMinor : gapMinor).toBeLessThanOrEqual(BigInt(month.lines.length + paid.lines.length + due.lines.length));
    }
    for (const { amountPico, amountMinor } of lines) expect(minorOf(amountPico, month.currency)).toBe(amountMinor);
  });

  fc.assert(property, { numRuns: RUNS });
});

test("what was paid as a whole leaves nothing to pay but what is due by the month, and what was not paid at all has no such line", () => {
  const property = fc.property(scene, (each) => {
    const all = (isPaid: boolean) => rated({ ...each, rows: each.rows.map(([of]) => [of, isPaid]) });
    const [whole, none] = [all(true), all(false)];
    const due = whole.month.lines.filter(({ component }) => component === "commitment");

    const left = sumOf(whole.month.lines) + sumOf(prepaidLine(whole));

    const isSound = sumOf(whole.paid.lines.filter(({ component }) => component !== "commitment")) >= 0n;
    if (isSound) expect(left).toBe(sumOf(due));
    expect(prepaidLine(none)).toEqual([]);
  });

  fc.assert(property, { numRuns: RUNS });
});

test("a discount of the whole that rounds against that of the part does not make the month negative", () => {
  // 0.4 minor units each: the part's discount rounds to nothing, the whole's to one.
  const tiny = {
    servedVersion: 1,
    arm: "stable",
    tier: "cpu" as const,
    inputTokens: 0,
    outputTokens: 0,
    computeMs: 0,
    acceptedAtMs: FROM_MS,
  };
  const models = ["a", "b", "c", "d"];
  const book = (model: string, each: string) => ({ model, perRequest: { price: each } });
  const entries = [book("paid", "0.01"), ...models.map((model) => book(model, "0.004"))];
  const body = PriceBook.parse({ name: "b", currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries });
  const rateOf = (names: readonly string[]) =>
    rate(
      names.map((model) => ({ ...tiny, model })),
      [{ revision: 1, body }],
      { month: MONTH, discountBps: 3_000 },
    );
  const [month, paid] = [rateOf(["paid", ...models]), rateOf(["paid"])];

  expect([sumOf(month.lines), sumOf(paid.lines)]).toEqual([0n, 1n]);
  expect(prepaidLine({ paid, month })).toEqual([]);
});
