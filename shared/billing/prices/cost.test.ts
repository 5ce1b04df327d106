import { expect, test } from "vitest";
import { picoOf } from "../money.ts";
import { costOf, mostPicoOf } from "./cost.ts";
import { PriceBook } from "./price-book.ts";
import { planEntries } from "./price-plan.ts";

function entryOf(entry: object) {
  const body = PriceBook.parse({ name: "b", currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [entry] });
  const plan = planEntries(body).entryOf("minilm", 1);
  if (plan === undefined) throw new Error("no entry");
  return plan;
}

const USAGE = { tier: "cpu", inputTokens: 1_000, outputTokens: 10, computeMs: 5 } as const;

test("a request under plain prices costs its parts, or its minimum", () => {
  const plain = {
    perRequest: { price: "1" },
    per1000InputTokens: { price: "2" },
    perComputeMs: { cpu: { price: "0.1" }, gpu: { price: "9" } },
  };

  expect(costOf(entryOf(plain), USAGE)).toBe(picoOf("3.5"));
  expect(mostPicoOf(entryOf(plain), USAGE)).toBe(picoOf("3.5"));
  expect(mostPicoOf(entryOf({ ...plain, minimumPerRequest: "4" }), USAGE)).toBe(picoOf("4"));
});

test("of steps the dearest counts, and no allowance is left", () => {
  const steps = [{ upTo: 5, price: "1" }, { price: "2" }];

  expect(mostPicoOf(entryOf({ perRequest: { graduated: steps, free: 100 } }), USAGE)).toBe(picoOf("2"));
  expect(
    mostPicoOf(
      entryOf({ perRequest: { volume: steps.toReversed().map(({ price }, place) => (place === 0 ? { price, upTo: 5 } : { price })) } }),
      USAGE,
    ),
  ).toBe(picoOf("2"));
});

test("a quantity without a bound matters only where it has a price", () => {
  const endless = { ...USAGE, outputTokens: Number.POSITIVE_INFINITY };

  expect(mostPicoOf(entryOf({ per1000OutputTokens: { price: "1" } }), endless)).toBeUndefined();
  expect(mostPicoOf(entryOf({ per1000OutputTokens: { price: "0" }, perRequest: { price: "1" } }), endless)).toBe(picoOf("1"));
  expect(mostPicoOf(entryOf({}), endless)).toBe(0n);
});
