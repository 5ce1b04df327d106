import Big from "big.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ratePlainly } from "./plain-rater.fixture.ts";
import { PriceBook, type PriceRevision } from "./price-book.ts";
import { monthSpan } from "./price-plan.ts";
import { createRater, needsRows, type RateableRow, type Rated, rate } from "./rating.ts";

const HOUR_MS = 3_600_000;
const MONTHS = ["2026-02", "2028-02", "2026-11", "2026-12"];
const MODELS = ["minilm", "gpt", "other"];

const whole = (max: number) => fc.integer({ min: 1, max });
const priceOf = (decimals: number) =>
  fc.bigInt(0n, 10n ** BigInt(decimals + 1)).map((pico) => new Big(pico.toString()).div(new Big(10).pow(decimals)).toFixed());
const maybe = <T>(each: fc.Arbitrary<T>) => fc.option(each, { nil: undefined });

const stepsOf = (price: fc.Arbitrary<string>, max: number) =>
  fc
    .tuple(fc.uniqueArray(whole(max), { maxLength: 3 }), fc.array(price, { minLength: 4, maxLength: 4 }))
    .map(([bounds, prices]) => [
      ...bounds.toSorted((a, b) => a - b).map((upTo, place) => ({ upTo, price: prices[place] ?? "0" })),
      { price: prices[3] ?? "0" },
    ]);
const scaleOf = (price: fc.Arbitrary<string>, max: number) =>
  fc.oneof(fc.record({ price }), fc.record({ graduated: stepsOf(price, max) }), fc.record({ volume: stepsOf(price, max) }));
const rateOf = (price: fc.Arbitrary<string>, max: number) =>
  fc.tuple(scaleOf(price, max), maybe(whole(max))).map(([scale, free]) => ({ ...scale, ...(free === undefined ? {} : { free }) }));
const plainOf = (price: fc.Arbitrary<string>) => fc.record({ price });

const quantities = (rate: (price: fc.Arbitrary<string>, max: number) => fc.Arbitrary<object>) => ({
  perRequest: maybe(rate(priceOf(12), 20)),
  per1000InputTokens: maybe(rate(priceOf(9), 200)),
  per1000OutputTokens: maybe(rate(priceOf(9), 200)),
  perComputeMs: maybe(fc.record({ cpu: maybe(rate(priceOf(12), 100)), edge: maybe(rate(priceOf(12), 100)) })),
});
const perSecond = fc.record({
  peak: maybe(fc.tuple(scaleOf(priceOf(6), 3), fc.constantFrom("second", "hour")).map(([scale, of]) => ({ ...scale, of }))),
  percentile: maybe(fc.record({ percentile: whole(100), silentSeconds: fc.constantFrom("count", "skip"), price: priceOf(6) })),
  reserved: maybe(fc.record({ requestsPerSecond: whole(3), price: priceOf(6), overage: priceOf(6) })),
});
const entryOf = (name: { model?: string; version?: number }) =>
  fc
    .oneof(
      fc.record({ ...quantities(rateOf), perSecond: maybe(perSecond) }),
      fc.record({ ...quantities(plainOf), minimumPerRequest: priceOf(11), perSecond: maybe(perSecond) }),
    )
    .map((entry) => {
      const rates = name.version === undefined ? entry.perSecond : undefined;
      return { ...entry, ...name, perSecond: name.model === undefined && rates ? { ...rates, reserved: undefined } : rates };
    });

const entries = fc
  .tuple(
    maybe(entryOf({})),
    maybe(entryOf({ model: "minilm" })),
    maybe(entryOf({ model: "minilm", version: 2 })),
    entryOf({ model: "gpt" }),
  )
  .map((all) => all.filter((entry) => entry !== undefined));

/** Up to three revisions; the first may begin before the month or in it. */
const bookIn = (month: string): fc.Arbitrary<PriceRevision[]> => {
  const { fromMs, toMs } = monthSpan(month);
  const hours = (toMs - fromMs) / HOUR_MS;
  return fc
    .tuple(
      fc.uniqueArray(fc.integer({ min: -5, max: hours - 1 }), { minLength: 1, maxLength: 3 }),
      fc.array(entries, { minLength: 3, maxLength: 3 }),
    )
    .map(([starts, each]) =>
      starts
        .toSorted((a, b) => a - b)
        .map((hour, place) => {
          const effectiveFrom = new Date(fromMs + hour * HOUR_MS).toISOString();
          const body = { name: "random", currency: "EUR", effectiveFrom, entries: each[place] };
          return { revision: place + 1, body: PriceBook.parse(JSON.parse(JSON.stringify(body))) };
        }),
    );
};

/** Crowded into few seconds, or no second would have two. */
const rowsIn = (month: string): fc.Arbitrary<RateableRow[]> => {
  const { fromMs, toMs } = monthSpan(month);
  const instant = fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 4_000 }))
    .map(([tenth, ms]) => fromMs + Math.floor(((toMs - fromMs - 4_001) * tenth) / 9) + ms);
  return fc.array(
    fc.record({
      model: fc.constantFrom(...MODELS),
      servedVersion: fc.constantFrom(1, 2, 10),
      arm: fc.constantFrom("stable", "b"),
      tier: fc.constantFrom("cpu" as const, "edge" as const),
      inputTokens: fc.nat(40),
      outputTokens: fc.nat(40),
      computeMs: fc.nat(20),
      acceptedAtMs: instant,
    }),
    { maxLength: 60 },
  );
};

const month = fc.constantFrom(...MONTHS).chain((name) => fc.record({ name: fc.constant(name), book: bookIn(name), rows: rowsIn(name) }));

function withoutSteps({ lines }: Rated): Map<string, { quantity: number; amount: string }> {
  const sums = new Map<string, { quantity: bigint; amountPico: bigint }>();
  for (const { component, model, version, arm, tier, priceVersion, quantity, amountPico } of lines) {
    const key = [component, model, version, arm, tier, priceVersion].map((each) => each ?? "").join("|");
    const there = sums.get(key) ?? { quantity: 0n, amountPico: 0n };
    sums.set(key, { quantity: there.quantity + quantity, amountPico: there.amountPico + amountPico });
  }
  const inMajor = (pico: bigint) => new Big(pico.toString()).times("1e-12").toFixed();
  return new Map([...sums].map(([key, sum]) => [key, { quantity: Number(sum.quantity), amount: inMajor(sum.amountPico) }]));
}

test("any book rates any month as a slow decimal rater does, unit by unit", () => {
  fc.assert(
    fc.property(month, ({ name, book, rows }) => {
      const { fromMs: startMs, toMs: endMs } = monthSpan(name);

      const rated = rate(rows, book, { month: name, discountBps: 0 });

      expect(withoutSteps(rated)).toEqual(ratePlainly(rows, { book, startMs, endMs }));
    }),
    { numRuns: 300 },
  );
}, 120_000);

test("rows in any order give the same lines", () => {
  fc.assert(
    fc.property(
      month.chain((each) =>
        fc.record({ each: fc.constant(each), shuffled: fc.shuffledSubarray(each.rows, { minLength: each.rows.length }) }),
      ),
      ({ each: { name, book, rows }, shuffled }) => {
        const terms = { month: name, discountBps: 1234 };

        expect(rate(shuffled, book, terms)).toEqual(rate(rows, book, terms));
      },
    ),
    { numRuns: 100 },
  );
}, 120_000);

test("sums of hours with counts of their seconds, or histograms of them, give the lines that the rows give", () => {
  fc.assert(
    fc.property(month, ({ name, book, rows }) => {
      fc.pre(!needsRows(book, name));
      const terms = { month: name, discountBps: 500 };
      const [bySeconds, byHistograms] = [createRater(book, terms), createRater(book, terms)];
      for (const row of rows) {
        const hourMs = row.acceptedAtMs - (row.acceptedAtMs % HOUR_MS);
        const { acceptedAtMs: _, servedVersion: version, ...sum } = row;
        for (const rater of [bySeconds, byHistograms]) rater.addSum({ ...sum, version, hourMs, requests: 1 });
        bySeconds.addSeconds({ model: row.model, fromMs: row.acceptedAtMs - (row.acceptedAtMs % 1000), counts: [1] });
      }
      for (const [key, inHour] of Map.groupBy(rows, ({ model, acceptedAtMs }) => `${model} ${Math.floor(acceptedAtMs / HOUR_MS)}`)) {
        const [model = "", hour = ""] = key.split(" ");
        const counts = [...Map.groupBy(inHour, ({ acceptedAtMs }) => Math.floor(acceptedAtMs / 1000)).values()].map(({ length }) => length);
        const seconds = [...Map.groupBy(counts, (count) => count)].map(([requests, each]) => [requests, each.length] as const);
        byHistograms.addHistogram({ model, hourMs: Number(hour) * HOUR_MS, seconds });
      }

      expect(bySeconds.finish()).toEqual(rate(rows, book, terms));
      expect(byHistograms.finish()).toEqual(rate(rows, book, terms));
    }),
    { numRuns: 40 },
  );
}, 120_000);
