import { expect, test } from "vitest";
import { PriceBook, type PriceRevision } from "./price-book.ts";
import { createRater, needsRows, type RateableRow, type Rated, rate } from "./rating.ts";

const MONTH = "2026-11";
const START_MS = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;
const TERMS = { month: MONTH, discountBps: 0 };

const ROW: RateableRow = {
  model: "minilm",
  servedVersion: 1,
  arm: "stable",
  tier: "cpu",
  inputTokens: 10,
  outputTokens: 0,
  computeMs: 5,
  acceptedAtMs: START_MS,
};

const rowsOf = (count: number, changed: Partial<RateableRow> = {}) => Array.from({ length: count }, () => ({ ...ROW, ...changed }));

function bookOf(...revisions: { from?: string; entries?: object[]; currency?: string; commitment?: string }[]): PriceRevision[] {
  return revisions.map(({ from = "2026-11-01", ...rest }, place) => ({
    revision: place + 1,
    body: PriceBook.parse({ name: "b", currency: "EUR", effectiveFrom: `${from}T00:00:00Z`, entries: [{}], ...rest }),
  }));
}

const shown = ({ lines }: Rated) =>
  lines.map(({ component, quantity, note, amountMinor }) => `${component} ${quantity} ${amountMinor}${note && `: ${note}`}`);

const perRequest = (rate: object) => [{ perRequest: rate }];

test("each component is a line, by model, version, arm and tier", () => {
  const book = bookOf({
    entries: [{ perRequest: { price: "0.5" }, per1000InputTokens: { price: "1" }, perComputeMs: { cpu: { price: "0.1" } } }],
  });

  const { lines } = rate([...rowsOf(2), ...rowsOf(1, { arm: "canary", servedVersion: 2, tier: "edge" })], book, TERMS);

  expect(
    lines.map(({ component, version, arm, tier, quantity, amountMinor }) => [component, version, arm, tier, quantity, amountMinor]),
  ).toEqual([
    ["requests", 1, "stable", "cpu", 2n, 100n],
    ["inputTokens", 1, "stable", "cpu", 20n, 2n],
    ["computeMs", 1, "stable", "cpu", 10n, 100n],
    ["requests", 2, "canary", "edge", 1n, 50n],
    ["inputTokens", 2, "canary", "edge", 10n, 1n],
  ]);
});

test("the most specific entry is the whole answer", () => {
  const entries = [
    { perRequest: { price: "1" }, per1000InputTokens: { price: "100" } },
    { model: "minilm", perRequest: { price: "2" } },
    { model: "minilm", version: 7, perRequest: { price: "3" } },
  ];

  const rated = rate([...rowsOf(1), ...rowsOf(1, { servedVersion: 7 }), ...rowsOf(1, { model: "zeta" })], bookOf({ entries }), TERMS);

  expect(shown(rated)).toEqual(["requests 1 200", "requests 1 300", "requests 1 100", "inputTokens 10 100"]);
});

test("graduated steps price what lies in each, a volume all by what is reached, and free units come first", () => {
  const steps = [{ upTo: 3, price: "2" }, { upTo: 5, price: "1" }, { price: "0.5" }];

  expect(shown(rate(rowsOf(6), bookOf({ entries: perRequest({ graduated: steps }) }), TERMS))).toEqual([
    "requests 3 600: graduated up to 3",
    "requests 2 200: graduated above 3 up to 5",
    "requests 1 50: graduated above 5",
  ]);
  expect(shown(rate(rowsOf(5), bookOf({ entries: perRequest({ volume: steps }) }), TERMS))).toEqual([
    "requests 5 500: volume above 3 up to 5",
  ]);
  expect(shown(rate(rowsOf(6), bookOf({ entries: perRequest({ graduated: steps, free: 4 }) }), TERMS))).toEqual([
    "requests 4 0: free up to 4",
    "requests 1 100: graduated above 3 up to 5",
    "requests 1 50: graduated above 5",
  ]);
});

test("a minimum is of each request, not of their sum", () => {
  const book = bookOf({ entries: [{ per1000InputTokens: { price: "100" }, minimumPerRequest: "2" }] });

  const rated = rate([...rowsOf(1), ...rowsOf(1, { inputTokens: 90 })], book, TERMS);

  expect(shown(rated)).toEqual(["inputTokens 100 1000", "minimum 1 100: what requests lack of their minimum"]);
  expect(needsRows(book, MONTH)).toBe(true);
  expect(() => createRater(book, TERMS).addSum({ ...ROW, version: 1, hourMs: START_MS, requests: 1 })).toThrow("its rows are needed");
});

test("prices and minimums beyond what numbers hold exactly are exact", () => {
  const entries = [{ per1000OutputTokens: { price: "999999.000000001" }, minimumPerRequest: "999999.000000000001" }];

  const { lines } = rate([...rowsOf(1, { outputTokens: 100_000_001 }), ...rowsOf(1, { outputTokens: 1 })], bookOf({ entries }), TERMS);

  expect(lines.map(({ amountPico }) => amountPico)).toEqual([
    999_999_000_000_001n * 100_000_002n,
    999_999_000_000_000_001n - 999_999_000_000_001n,
  ]);
});

test("an amount is rounded once, half away from zero, to the currency's minor unit", () => {
  const amountOf = (currency: string, price: string) =>
    rate(rowsOf(1), bookOf({ currency, entries: perRequest({ price }) }), TERMS).lines[0]?.amountMinor;

  expect([amountOf("EUR", "0.005"), amountOf("EUR", "0.00499"), amountOf("JPY", "0.5"), amountOf("KWD", "0.0005")]).toEqual([
    1n,
    0n,
    1n,
    1n,
  ]);
});

test("a row is priced by the revision in force when it was accepted, to the millisecond", () => {
  const book = bookOf({ entries: perRequest({ price: "1" }) }, { from: "2026-11-02", entries: perRequest({ price: "2" }) });
  const at = (ms: number) => rowsOf(1, { acceptedAtMs: START_MS + DAY_MS + ms });

  const { lines } = rate([...at(-1), ...at(0)], book, TERMS);

  expect(lines.map(({ priceVersion, amountMinor }) => [priceVersion, amountMinor])).toEqual([
    [1, 100n],
    [2, 200n],
  ]);
});

test("steps and allowances go on through a change of prices, as if the new ones had been in force since the month began", () => {
  const steps = (price: string) => [{ upTo: 4, price }, { price: "0.1" }];
  const both = [...rowsOf(3), ...rowsOf(3, { acceptedAtMs: START_MS + DAY_MS })];
  const change = (first: object, second: object) =>
    bookOf({ entries: perRequest(first) }, { from: "2026-11-02", entries: perRequest(second) });

  expect(shown(rate(both, change({ graduated: steps("1") }, { graduated: steps("2") }), TERMS))).toEqual([
    "requests 3 300: graduated up to 4",
    "requests 1 200: graduated up to 4",
    "requests 2 20: graduated above 4",
  ]);
  expect(shown(rate(both, change({ price: "1", free: 2 }, { price: "1", free: 5 }), TERMS))).toEqual([
    "requests 2 0: free up to 2",
    "requests 1 100",
    "requests 2 0: free up to 5",
    "requests 1 100",
  ]);
  expect(shown(rate(both, change({ volume: steps("1") }, { volume: steps("2") }), TERMS))).toEqual([
    "requests 3 30: volume above 4",
    "requests 3 30: volume above 4",
  ]);
});

test("a rate by the month costs its share of the month, counted in each revision's own seconds", () => {
  const percentile = (price: string) => [{ perSecond: { percentile: { percentile: 100, silentSeconds: "count", price } } }];
  const book = bookOf({ entries: percentile("30") }, { from: "2026-11-11", entries: percentile("60") });

  const rated = rate([...rowsOf(4), ...rowsOf(2, { acceptedAtMs: START_MS + 15 * DAY_MS })], book, TERMS);

  expect(shown(rated)).toEqual([
    "percentileRate 4 4000: percentile 100 of 864000 seconds, 240 of 720 hours",
    "percentileRate 2 8000: percentile 100 of 1728000 seconds, 480 of 720 hours",
  ]);
});

test.each<[month: string, days: number]>([
  ["2026-02", 28],
  ["2028-02", 29],
  ["2026-11", 30],
  ["2026-12", 31],
])("the 95th percentile of %s is of all its seconds, silent ones too", (month, days) => {
  const startMs = Date.parse(`${month}-01`);
  const loud = (days * 86_400) / 20; // the twentieth part: one second more decides
  const book = bookOf({ from: "2026-01-01", entries: [{ perSecond: { percentile: { silentSeconds: "count", price: "1" } } }] });
  const withLoudSeconds = (count: number) => {
    const rater = createRater(book, { month, discountBps: 0 });
    for (let hour = 0; hour * 3_600 < count; hour += 1)
      rater.addHistogram({ model: "minilm", hourMs: startMs + hour * 3_600_000, seconds: [[7, Math.min(3_600, count - hour * 3_600)]] });
    return rater.finish().lines.map(({ quantity }) => quantity);
  };

  expect(withLoudSeconds(loud)).toEqual([]);
  expect(withLoudSeconds(loud + 1)).toEqual([7n]);
});

test("silent seconds may not count, peaks are of each second or hour, and a reserved rate is due unused", () => {
  const rows = [0, 0, 0, 1_000, 3_600_000].flatMap((ms) => rowsOf(1, { acceptedAtMs: START_MS + ms }));
  const rated = (perSecond: object, each = rows) => shown(rate(each, bookOf({ entries: [{ model: "minilm", perSecond }] }), TERMS));

  expect(rated({ percentile: { percentile: 67, silentSeconds: "skip", price: "1" } })).toEqual([
    "percentileRate 3 300: percentile 67 of 3 seconds",
  ]);
  expect(rated({ percentile: { percentile: 66, silentSeconds: "skip", price: "1" } })).toEqual([
    "percentileRate 1 100: percentile 66 of 3 seconds",
  ]);
  expect(rated({ peak: { of: "hour", price: "1" } })).toEqual(["peakRate 4 400: peak of each hour"]);
  expect(rated({ peak: { of: "second", graduated: [{ upTo: 1, price: "1" }, { price: "0.1" }] } })).toEqual([
    "peakRate 3 300: peak of each second, graduated up to 1",
    "peakRate 2 20: peak of each second, graduated above 1",
  ]);
  const reserved = { requestsPerSecond: 2, price: "5", overage: "0.25" };
  expect(rated({ reserved })).toEqual(["reservedRate 2 1000: reserved", "rateOverage 1 25: above 2 in a second"]);
  expect(rated({ reserved }, [])).toEqual(["reservedRate 2 1000: reserved"]);
});

test("a commitment tops up to itself exactly, after the discount, and not at all when it is used", () => {
  const rated = (price: string, commitment: string) =>
    shown(rate(rowsOf(1), bookOf({ commitment, entries: perRequest({ price }) }), { ...TERMS, discountBps: 1_000 }));

  expect(rated("10.005", "20")).toEqual([
    "requests 1 1001",
    "discount 1000 -100: 10 % off",
    "commitment 1 1099: what use lacks of the commitment",
  ]);
  expect(rated("30", "20")).toEqual(["requests 1 3000", "discount 1000 -300: 10 % off"]);
  const halves = bookOf({ commitment: "10" }, { from: "2026-11-16", commitment: "20" });
  expect(shown(rate([], halves, TERMS))).toEqual(["commitment 1 1500: what use lacks of the commitment"]);
});

test("no discount makes a month come to less than nothing", () => {
  const entries = ["a", "b", "c"].map((model) => ({ model, perRequest: { price: "0.004" } }));
  const rows = ["a", "b", "c"].flatMap((model) => rowsOf(1, { model }));
  const netOf = (discountBps: number) =>
    rate(rows, bookOf({ entries }), { ...TERMS, discountBps }).lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);

  expect([0, 1_000, 10_000].map(netOf)).toEqual([0n, 0n, 0n]); // each line is 0.4 of a cent, all are 1.2
});

test("what nothing prices costs nothing and is told", () => {
  const book = bookOf({ from: "2026-11-02", entries: [{ model: "gpt", perRequest: { price: "1" } }] });

  const rated = rate([...rowsOf(2), ...rowsOf(1, { model: "gpt" }), ...rowsOf(1, { acceptedAtMs: START_MS + DAY_MS })], book, TERMS);

  expect(rated.lines).toEqual([]);
  expect(rated.unpriced).toEqual([
    { model: "gpt", version: 1, requests: 1n },
    { model: "minilm", version: 1, requests: 3n },
  ]);
});

test("a revision that was corrected before it was in force prices nothing", () => {
  const entries = (price: string) => [{ perRequest: { price }, perSecond: { reserved: { requestsPerSecond: 1, price, overage: "0" } } }];
  const rows = [...rowsOf(2), ...rowsOf(1, { acceptedAtMs: START_MS + 20 * DAY_MS })];
  const later = { from: "2026-11-16" };

  const corrected = rate(
    rows,
    bookOf({ entries: entries("1") }, { ...later, entries: entries("999") }, { ...later, entries: entries("3") }),
    TERMS,
  );

  const meant = rate(rows, bookOf({ entries: entries("1") }, { ...later, entries: entries("3") }), TERMS);
  expect(corrected.lines.map(({ priceVersion: _, ...line }) => line)).toEqual(meant.lines.map(({ priceVersion: _, ...line }) => line));
  expect(corrected.lines.some(({ priceVersion }) => priceVersion === 2)).toBe(false);
});

test("rows of another month, books that go back in time, and counts that are none are our own mistakes", () => {
  const book = bookOf({});

  expect(() => rate(rowsOf(1, { acceptedAtMs: START_MS - 1 }), book, TERMS)).toThrow("2026-10-31T23:59:59.999Z is not in 2026-11");
  expect(() => rate(rowsOf(1, { acceptedAtMs: START_MS + 30 * DAY_MS }), book, TERMS)).toThrow(
    "2026-12-01T00:00:00.000Z is not in 2026-11",
  );
  expect(() => rate([], bookOf({ from: "2026-11-03" }, { from: "2026-11-02" }), TERMS)).toThrow("goes back in time");
  expect(() => rate([], bookOf({}, { from: "2026-11-02", currency: "USD" }), TERMS)).toThrow("changes its currency");
  expect(() => rate(rowsOf(1, { inputTokens: 0.5 }), book, TERMS)).toThrow("not a count");
});
