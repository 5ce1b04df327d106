import Big from "big.js";
import type { PriceEntry, PriceRevision, QuantityRate } from "./price-book.ts";
import type { RateableRow } from "./rating.ts";

/** Amount and quantity of a line without its steps, by `component|model|version|arm|tier|revision`. */
export type PlainLines = ReadonlyMap<string, { readonly quantity: number; readonly amount: string }>;

type Sums = Map<string, { quantity: number; amount: Big }>;
type Setting = { readonly book: readonly PriceRevision[]; readonly startMs: number; readonly endMs: number };
type Placed = { readonly row: RateableRow; readonly revision: PriceRevision | undefined };

/** A division's digits: so many that rounding twice cannot show. */
const Exact = Big();
Exact.DP = 60;

/**
 * Rates as the README says, in decimals, row by row, unit by unit and second by second: slow, and written without a look at `rating.ts`,
 * of which it shares nothing but the schemas' types. Amounts are in the major unit, before any rounding but that of shares of a month.
 */
export function ratePlainly(rows: readonly RateableRow[], setting: Setting): PlainLines {
  const sums: Sums = new Map();
  const placed = inOrder(rows).map((row) => ({ row, revision: inForce(setting.book, row.acceptedAtMs) }));
  for (const revision of setting.book) {
    chargeQuantities(sums, revision, placed);
    chargeMinimums(sums, revision, placed);
    chargeRates(sums, revision, { setting, placed });
  }
  const charged = [...sums].filter(([, { quantity }]) => quantity > 0);
  return new Map(charged.map(([key, { quantity, amount }]) => [key, { quantity, amount: amount.toFixed() }]));
}

function inForce(book: readonly PriceRevision[], atMs: number): PriceRevision | undefined {
  return book.filter(({ body }) => new Date(body.effectiveFrom).getTime() <= atMs).at(-1);
}

function inOrder(rows: readonly RateableRow[]): RateableRow[] {
  const keyOf = (row: RateableRow) => [row.model, String(row.servedVersion).padStart(9, "0"), row.arm, row.tier].join(" ");
  return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
}

function entryFor({ body }: PriceRevision, model: string, version?: number): PriceEntry | undefined {
  const fits = (entry: PriceEntry, wanted: { model?: string; version?: number }) =>
    entry.model === wanted.model && entry.version === wanted.version;
  const ofVersion = version === undefined ? undefined : body.entries.find((entry) => fits(entry, { model, version }));
  return ofVersion ?? body.entries.find((entry) => fits(entry, { model })) ?? body.entries.find((entry) => fits(entry, {}));
}

function quantitiesOf(entry: PriceEntry, row: RateableRow) {
  return [
    { component: "requests", rate: entry.perRequest, per: 1, units: 1 },
    { component: "inputTokens", rate: entry.per1000InputTokens, per: 1000, units: row.inputTokens },
    { component: "outputTokens", rate: entry.per1000OutputTokens, per: 1000, units: row.outputTokens },
    { component: "computeMs", rate: entry.perComputeMs?.[row.tier], per: 1, units: row.computeMs },
  ];
}

/** One pass over the month's rows, those of earlier revisions first: each unit takes the next place, and costs what its place says. */
function chargeQuantities(sums: Sums, revision: PriceRevision, placed: readonly Placed[]) {
  const numberOf = (each: Placed) => each.revision?.revision ?? 0;
  const ordered = placed.toSorted((a, b) => numberOf(a) - numberOf(b));
  const totals = new Map<QuantityRate, number>();
  for (const { row } of ordered) {
    const entry = entryFor(revision, row.model, row.servedVersion);
    if (entry === undefined) continue;
    for (const { rate, units } of quantitiesOf(entry, row)) if (rate !== undefined) totals.set(rate, (totals.get(rate) ?? 0) + units);
  }
  const places = new Map<QuantityRate, number>();
  for (const { row, revision: own } of ordered) {
    const entry = entryFor(revision, row.model, row.servedVersion);
    if (entry === undefined) continue;
    for (const { component, rate, per, units } of quantitiesOf(entry, row)) {
      if (rate === undefined) continue;
      for (let unit = 0; unit < units; unit += 1) {
        const place = places.get(rate) ?? 0;
        places.set(rate, place + 1);
        const amount = new Big(priceAt(rate, { place, total: totals.get(rate) ?? 0 })).div(per);
        if (own === revision) add(sums, lineKey(component, row, revision), { quantity: 1, amount });
      }
    }
  }
}

function priceAt(rate: QuantityRate, { place, total }: { place: number; total: number }): string {
  if (place < (rate.free ?? 0)) return "0";
  if (rate.price !== undefined) return rate.price;
  if (rate.graduated !== undefined) return rate.graduated.find(({ upTo = Number.POSITIVE_INFINITY }) => place < upTo)?.price ?? "NaN";
  return rate.volume?.find(({ upTo = Number.POSITIVE_INFINITY }) => total <= upTo)?.price ?? "NaN";
}

function chargeMinimums(sums: Sums, revision: PriceRevision, placed: readonly Placed[]) {
  for (const { row, revision: own } of placed) {
    const entry = own === revision ? entryFor(revision, row.model, row.servedVersion) : undefined;
    if (entry?.minimumPerRequest === undefined) continue;
    const cost = quantitiesOf(entry, row).reduce(
      (sum, { rate, per, units }) => sum.plus(new Big(rate?.price ?? 0).div(per).times(units)),
      new Big(0),
    );
    const missing = new Big(entry.minimumPerRequest).minus(cost);
    if (missing.gt(0)) add(sums, lineKey("minimum", row, revision), { quantity: 1, amount: missing });
  }
}

function chargeRates(sums: Sums, revision: PriceRevision, { setting, placed }: { setting: Setting; placed: readonly Placed[] }) {
  const next = setting.book[setting.book.indexOf(revision) + 1];
  const fromMs = Math.max(setting.startMs, new Date(revision.body.effectiveFrom).getTime());
  const toMs = Math.min(setting.endMs, next === undefined ? setting.endMs : new Date(next.body.effectiveFrom).getTime());
  if (fromMs >= toMs) return;
  const share = (amount: Big) =>
    new Exact(amount)
      .times(toMs - fromMs)
      .div(setting.endMs - setting.startMs)
      .round(12, Big.roundHalfUp);
  const models = new Set([...placed.map(({ row }) => row.model), ...revision.body.entries.flatMap(({ model }) => model ?? [])]);
  for (const model of models) {
    const prices = entryFor(revision, model)?.perSecond;
    if (prices === undefined) continue;
    const counts = new Map<number, number>(); // of seconds that are not silent
    for (const { row, revision: own } of placed) {
      if (row.model !== model || own !== revision) continue;
      const second = Math.floor((row.acceptedAtMs - fromMs) / 1000);
      counts.set(second, (counts.get(second) ?? 0) + 1);
    }
    const loud = [...counts.values()].sort((a, b) => a - b);
    const silent = (toMs - fromMs) / 1000 - loud.length;
    const key = (component: string) => [component, model, null, null, null, revision.revision].join("|");
    if (prices.peak !== undefined) {
      const byHour = Map.groupBy(counts, ([second]) => Math.floor(second / 3600));
      const ofHours = [...byHour.values()].map((each) => Math.max(...each.map(([, count]) => count)));
      for (const peak of prices.peak.of === "hour" ? ofHours : loud) {
        for (let place = 0; place < peak; place += 1)
          add(sums, key("peakRate"), { quantity: 1, amount: new Big(priceAt(prices.peak, { place, total: peak })) });
      }
    }
    if (prices.percentile !== undefined) {
      const zeros = prices.percentile.silentSeconds === "count" ? silent : 0;
      const rank = Math.ceil(((zeros + loud.length) * prices.percentile.percentile) / 100);
      const value = rank <= zeros ? 0 : (loud[rank - zeros - 1] ?? 0);
      add(sums, key("percentileRate"), { quantity: value, amount: share(new Big(prices.percentile.price).times(value)) });
    }
    if (prices.reserved !== undefined) {
      const { requestsPerSecond, price, overage } = prices.reserved;
      add(sums, key("reservedRate"), { quantity: requestsPerSecond, amount: share(new Big(price).times(requestsPerSecond)) });
      for (const count of loud) {
        const above = Math.max(0, count - requestsPerSecond);
        add(sums, key("rateOverage"), { quantity: above, amount: new Big(overage).times(above) });
      }
    }
  }
}

function lineKey(component: string, row: RateableRow, { revision }: PriceRevision): string {
  return [component, row.model, row.servedVersion, row.arm, row.tier, revision].join("|");
}

function add(sums: Sums, key: string, { quantity, amount }: { quantity: number; amount: Big }) {
  const there = sums.get(key) ?? { quantity: 0, amount: new Big(0) };
  sums.set(key, { quantity: there.quantity + quantity, amount: there.amount.plus(amount) });
}
