import { expect, test } from "vitest";
import { isPathIndependent, PriceBook, PriceBookChange } from "./price-book.ts";

const BOOK = {
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2026-11-01T00:00:00Z",
  entries: [{ perRequest: { price: "0.001" } }],
};

const withEntry = (entry: object) => ({ ...BOOK, entries: [entry] });
const perRequest = (rate: object) => withEntry({ perRequest: rate });
const refusalOf = (book: object) => {
  const [issue] = PriceBook.safeParse(book).error?.issues ?? [];
  return issue && { path: issue.path.join("."), message: issue.message };
};

test("a book says what it charges in many ways", () => {
  const book = {
    ...BOOK,
    commitment: "100",
    entries: [
      { perRequest: { price: "0.001", free: 1000 }, perComputeMs: { cpu: { price: "0.0000001" } } },
      {
        model: "minilm",
        per1000InputTokens: { graduated: [{ upTo: 1_000_000, price: "0.02" }, { price: "0.01" }] },
        perSecond: {
          peak: { of: "hour", price: "0.1" },
          percentile: { silentSeconds: "skip", price: "3" },
          reserved: { requestsPerSecond: 5, price: "10", overage: "0.001" },
        },
      },
      { model: "minilm", version: 2, per1000OutputTokens: { price: "0.03" }, minimumPerRequest: "0.0001" },
    ],
  };

  const parsed = PriceBook.parse(book);

  expect(parsed.entries[1]?.perSecond?.percentile?.percentile).toBe(95);
  expect(PriceBook.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
});

test.each<[why: string, book: object, path: string]>([
  ["a negative price", perRequest({ price: "-1" }), "entries.0.perRequest.price"],
  ["a huge price", perRequest({ price: "1000001" }), "entries.0.perRequest.price"],
  ["too many decimals", perRequest({ price: "0.0000000000001" }), "entries.0.perRequest.price"],
  ["a price that is a number", perRequest({ price: 0.1 }), "entries.0.perRequest.price"],
  ["no price", perRequest({}), "entries.0.perRequest"],
  ["two scales", perRequest({ price: "1", volume: [{ price: "1" }] }), "entries.0.perRequest"],
  [
    "steps that fall",
    perRequest({ graduated: [{ upTo: 5, price: "1" }, { upTo: 5, price: "1" }, { price: "1" }] }),
    "entries.0.perRequest.graduated.1.upTo",
  ],
  ["steps that end", perRequest({ volume: [{ upTo: 5, price: "1" }] }), "entries.0.perRequest.volume.0.upTo"],
  ["an open step in the middle", perRequest({ volume: [{ price: "2" }, { price: "1" }] }), "entries.0.perRequest.volume.0.upTo"],
  ["no steps", perRequest({ volume: [] }), "entries.0.perRequest.volume"],
  ["an unknown field", withEntry({ perToken: { price: "1" } }), "entries.0"],
  ["a version without a model", withEntry({ version: 2 }), "entries.0.version"],
  ["rates of a version", withEntry({ model: "m", version: 2, perSecond: {} }), "entries.0.perSecond"],
  [
    "a minimum beside an allowance",
    withEntry({ perRequest: { price: "1", free: 1 }, minimumPerRequest: "1" }),
    "entries.0.minimumPerRequest",
  ],
  ["two entries for one thing", { ...BOOK, entries: [{ model: "m" }, { model: "m" }] }, "entries.1"],
  ["no entries", { ...BOOK, entries: [] }, "entries"],
  ["a broken hour", { ...BOOK, effectiveFrom: "2026-11-01T00:30:00Z" }, "effectiveFrom"],
  ["an hour that is none", { ...BOOK, effectiveFrom: "2026-02-31T25:00:00Z" }, "effectiveFrom"],
  ["a day that is none", { ...BOOK, effectiveFrom: "2026-02-31T00:00:00Z" }, "effectiveFrom"],
  ["another zone", { ...BOOK, effectiveFrom: "2026-11-01T00:00:00+01:00" }, "effectiveFrom"],
  ["an unknown currency", { ...BOOK, currency: "XXX" }, "currency"],
])("%s is refused with its field", (_, book, path) => {
  expect(refusalOf(book)?.path).toBe(path);
});

test("a change of a book names no book: its path does", () => {
  const { name, ...change } = BOOK;

  expect(PriceBookChange.safeParse({ ...change, why: "launch" }).success).toBe(true);
  expect(PriceBookChange.safeParse({ ...change, name }).success).toBe(false);
});

test.each<[is: boolean, book: object]>([
  [true, BOOK],
  [true, withEntry({ perRequest: { price: "1" }, per1000InputTokens: { price: "1" }, minimumPerRequest: "2" })],
  [false, { ...BOOK, commitment: "1" }],
  [false, perRequest({ price: "1", free: 5 })],
  [false, perRequest({ volume: [{ price: "1" }] })],
  [false, withEntry({ perSecond: { percentile: { silentSeconds: "count", price: "1" } } })],
])("a book is path-independent (%s) if each request's cost is its own", (is, book) => {
  expect(isPathIndependent(PriceBook.parse(book))).toBe(is);
});
