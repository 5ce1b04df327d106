/**
 * Computes an invoice from an export's files by the written rules, for comparison. It shares no code with the product on purpose: it imports nothing
 * but Node's own modules, has its own digest, its own rating in plain integers and its own rounding.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

type Row = Readonly<Record<string, string | number | null>>;
type Step = { readonly upTo?: number; readonly price: string };
type Rate = { readonly price?: string; readonly graduated?: Step[]; readonly volume?: Step[]; readonly free?: number };
type Entry = {
  readonly model?: string;
  readonly version?: number;
  readonly perRequest?: Rate;
  readonly per1000InputTokens?: Rate;
  readonly per1000OutputTokens?: Rate;
  readonly perComputeMs?: Readonly<Record<string, Rate>>;
  readonly minimumPerRequest?: string;
  readonly perSecond?: {
    readonly percentile?: { readonly percentile: number; readonly silentSeconds: string; readonly price: string };
    readonly reserved?: { readonly requestsPerSecond: number; readonly price: string; readonly overage: string };
  };
};
type Book = { readonly effectiveFrom: string; readonly entries: Entry[]; readonly commitment?: string };
type Revision = { readonly revision: number; readonly body: Book };
type Line = { readonly component: string; readonly amountMinor: string; readonly taxRateBps: number; readonly note: string };
type Bucket = {
  readonly minute: string;
  readonly shard: number;
  readonly revision: number;
  readonly tenant: { readonly digest: string; readonly rowCount: number };
};

export type Recomputed = {
  readonly lines: readonly string[];
  readonly netMinor: string;
  readonly taxMinor: string;
  readonly totalMinor: string;
  readonly sealsDigest: string;
  readonly rows: number;
};

const DIGITS: Readonly<Record<string, number>> = { EUR: 2, USD: 2, JPY: 0 };
const HOUR_MS = 3_600_000;

export function recomputeInvoice(folder: string): Recomputed {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const lines = (name: string) =>
    read(name)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  const invoice = JSON.parse(read("invoice.json"));
  const revisions: Revision[] = JSON.parse(read("prices.json")).revisions;
  const rows: Row[] = lines("rows.ndjson");
  const sealsDigest = digestOf(rows, lines("seals.ndjson"));
  const unit = 10n ** BigInt(12 - (DIGITS[invoice.currency] ?? 2));
  const month = { from: Date.parse(invoice.period.from), to: Date.parse(invoice.period.to) };
  const hasDues = invoice.priceBook.withoutDues !== true; // of whoever was closed before the month
  const priced = [...countedLines(rows, revisions, month), ...rateLines(rows, revisions, month)]
    .filter(({ component }) => hasDues || component !== "reservedRate")
    .map((line) => ({ ...line, minor: round(line.pico, unit) }));
  const discountPico = -round(sum(priced.map(({ pico }) => pico)) * BigInt(invoice.priceBook.discountBps), 10_000n);
  const most = -sum(priced.map(({ minor }) => minor)); // no more comes off than the lines bill
  const discountMinor = round(discountPico, unit);
  if (discountPico !== 0n) priced.push({ component: "discount", pico: discountPico, minor: discountMinor < most ? most : discountMinor });
  const committed = hasDues ? round(commitmentOf(revisions, month), unit) : 0n;
  const lacking = committed - sum(priced.map(({ minor }) => minor));
  if (committed > 0n && lacking > 0n) priced.push({ component: "commitment", pico: lacking * unit, minor: lacking });
  const adjustments = (invoice.lines as Line[]).filter(({ component }) => component === "adjustment");
  const all = [
    ...priced.map(({ component, minor }) => `${component} ${minor}`),
    ...adjustments.map(({ amountMinor }) => `adjustment ${amountMinor}`),
  ];
  const net = sum(priced.map(({ minor }) => minor)) + sum(adjustments.map(({ amountMinor }) => BigInt(amountMinor)));
  const tax = round(net * BigInt(invoice.taxes[0]?.rateBps ?? 0), 10_000n);
  return { lines: all.sort(), netMinor: `${net}`, taxMinor: `${tax}`, totalMinor: `${net + tax}`, sealsDigest, rows: rows.length };
}

export type Due = {
  /** Number, amount and tax of each credit note, in the order in which they were taken from the invoice. */
  readonly credits: readonly string[];
  readonly dueMinor: string;
};

/** What credit notes have left of an invoice: amounts from the notes' own documents, the tax of all of them by one rounding, bytes by their digests. */
export function recomputeDue(folder: string): Due {
  const read = (name: string) => readFileSync(join(folder, name));
  const json = (name: string) => JSON.parse(read(name).toString());
  const [invoice, state, { credits: notes }] = [json("invoice.json"), json("invoice-state.json"), json("corrections.json")];
  const [total, tax] = [BigInt(invoice.totals.totalMinor), BigInt(invoice.totals.taxMinor)];
  let [given, taxGiven] = [0n, 0n];
  const credits = (state.credits ?? []).map(({ id }: { id: string }) => {
    const note = notes.find((each: { ask: { id: string } }) => each.ask.id === id);
    const document = json(`${note.name}.json`);
    for (const [format, { sha256 }] of Object.entries<{ sha256: string }>(note.documents)) {
      const found = createHash("sha256")
        .update(read(`${note.name}.${format}`))
        .digest("hex");
      if (found !== sha256) throw new Error(`${note.name}.${format}: ${found} from its bytes, ${sha256} in its note`);
    }
    if (document.invoice.name !== invoice.name) throw new Error(`${note.name} is of ${document.invoice.name}`);
    given += BigInt(document.totalMinor);
    const taxMinor = round(given * tax, total) - taxGiven;
    taxGiven += taxMinor;
    return `${document.name} ${document.totalMinor} ${taxMinor}`;
  });
  if (given > total) throw new Error(`${given} is given back of ${total}`);
  return { credits, dueMinor: `${state.state === "issued" ? total - given : 0n}` };
}

/** Each bucket's digest from its own rows, then one over all of them. */
function digestOf(rows: readonly Row[], buckets: readonly Bucket[]): string {
  const hash = createHash("sha256");
  let place = 0;
  for (const { minute, shard, revision, tenant } of buckets) {
    const own = rows.slice(place, place + tenant.rowCount);
    place += tenant.rowCount;
    const text = own
      .map(
        (row) =>
          `${JSON.stringify([1, row["requestId"], row["tenant"], row["keyId"], row["model"], row["version"], row["servedVersion"], row["arm"], row["tier"], row["dialect"], row["task"], row["outcome"], row["inputs"], row["inputTokens"], row["outputTokens"], row["computeMs"], row["priceVersion"], row["fingerprint"], row["lease"]])}\n`,
      )
      .join("");
    const digest = createHash("sha256").update(text).digest("hex");
    if (digest !== tenant.digest) throw new Error(`bucket ${minute}#${shard}: ${digest} from its rows, ${tenant.digest} in its seal`);
    hash.update(`${minute}#${shard} ${revision} ${digest}\n`);
  }
  return hash.digest("hex");
}

type Month = { readonly from: number; readonly to: number };
type Priced = { readonly component: string; readonly pico: bigint };

const atOf = (row: Row) => Number.parseInt(String(row["requestId"]).replaceAll("-", "").slice(0, 12), 16);
const entryOf = (book: Book, model: string, version: number) =>
  book.entries.find((entry) => entry.model === model && entry.version === version) ??
  book.entries.find((entry) => entry.model === model && entry.version === undefined) ??
  book.entries.find((entry) => entry.model === undefined);

/** When each revision is in force within the month. */
function spansOf(revisions: readonly Revision[], month: Month) {
  return revisions
    .map((each, place) => ({
      ...each,
      from: Math.max(month.from, Date.parse(each.body.effectiveFrom)),
      to: Math.min(month.to, Date.parse(revisions[place + 1]?.body.effectiveFrom ?? "9999-01-01T00:00:00Z")),
    }))
    .filter(({ from, to }) => from < to);
}

/** Requests, tokens, milliseconds and minimums: by revision, model, version, arm and tier, with one scale for all that an entry prices. */
function countedLines(rows: readonly Row[], revisions: readonly Revision[], month: Month): Priced[] {
  const kinds = [
    { component: "requests", rate: (entry: Entry, _: string) => entry.perRequest, per: 1n, count: (_: Row) => 1 },
    {
      component: "inputTokens",
      rate: (entry: Entry, _: string) => entry.per1000InputTokens,
      per: 1_000n,
      count: (row: Row) => Number(row["inputTokens"]),
    },
    {
      component: "outputTokens",
      rate: (entry: Entry, _: string) => entry.per1000OutputTokens,
      per: 1_000n,
      count: (row: Row) => Number(row["outputTokens"]),
    },
    {
      component: "computeMs",
      rate: (entry: Entry, tier: string) => entry.perComputeMs?.[tier],
      per: 1n,
      count: (row: Row) => Number(row["computeMs"]),
    },
  ];
  const made: Priced[] = [];
  for (const { body, from, to } of spansOf(revisions, month)) {
    for (const entry of body.entries) {
      const mine = rows.filter((row) => atOf(row) < to && entryOf(body, String(row["model"]), Number(row["servedVersion"])) === entry);
      const now = mine.filter((row) => atOf(row) >= from);
      for (const { component, rate, per, count } of kinds) {
        for (const tier of new Set(mine.map((row) => String(row["tier"])))) {
          const isPerTier = component === "computeMs";
          if (!isPerTier && tier !== String(mine[0]?.["tier"])) continue;
          const said = rate(entry, tier);
          if (said === undefined) continue;
          const counted = (some: readonly Row[]) =>
            some.filter((row) => !isPerTier || row["tier"] === tier).reduce((all, row) => all + count(row), 0);
          let place = counted(mine) - counted(now);
          const total = counted(rows.filter((row) => entryOf(body, String(row["model"]), Number(row["servedVersion"])) === entry));
          for (const cell of cellsOf(now)) {
            const quantity = counted(cell);
            made.push(...stepsOf(said, { from: place, quantity, total, per }).map((pico) => ({ component, pico })));
            place += quantity;
          }
        }
      }
      if (entry.minimumPerRequest !== undefined) made.push(...cellsOf(now).flatMap((cell) => minimumOf(entry, cell)));
    }
  }
  return made;
}

/** Rows that share model, version, arm and tier, in that order. */
function cellsOf(rows: readonly Row[]): Row[][] {
  const name = (row: Row) => [row["model"], String(row["servedVersion"]).padStart(9, "0"), row["arm"], row["tier"]].join("\u0000");
  const cells = new Map<string, Row[]>();
  for (const row of rows) cells.set(name(row), [...(cells.get(name(row)) ?? []), row]);
  return [...cells].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cell]) => cell);
}

function stepsOf(rate: Rate, { from, quantity, total, per }: { from: number; quantity: number; total: number; per: bigint }): bigint[] {
  const parts = new Map<string, bigint>();
  const add = (name: string, pico: bigint) => parts.set(name, (parts.get(name) ?? 0n) + pico);
  for (let place = from; place < from + quantity; place += 1) {
    if (place < (rate.free ?? 0)) {
      add("free", 0n);
      continue;
    }
    const steps = rate.graduated ?? rate.volume ?? [{ price: rate.price ?? "0" }];
    const reached = rate.volume === undefined ? place + 1 : total;
    const step = steps.find(({ upTo }) => upTo === undefined || reached <= upTo);
    if (step === undefined) throw new Error("no step");
    add(`${step.upTo}`, pico(step.price) / per);
  }
  return [...parts.values()];
}

function minimumOf(entry: Entry, cell: readonly Row[]): Priced[] {
  const least = pico(entry.minimumPerRequest ?? "0");
  const lacks = cell.map((row) => {
    const cost =
      pico(entry.perRequest?.price ?? "0") +
      (pico(entry.per1000InputTokens?.price ?? "0") / 1_000n) * BigInt(Number(row["inputTokens"])) +
      (pico(entry.per1000OutputTokens?.price ?? "0") / 1_000n) * BigInt(Number(row["outputTokens"]));
    return cost < least ? least - cost : 0n;
  });
  return sum(lacks) === 0n ? [] : [{ component: "minimum", pico: sum(lacks) }];
}

/** Percentile without silent seconds, and reserved rate with overage; each revision its share of the month by hours. */
function rateLines(rows: readonly Row[], revisions: readonly Revision[], month: Month): Priced[] {
  const made: Priced[] = [];
  for (const { body, from, to } of spansOf(revisions, month)) {
    for (const entry of body.entries.filter(({ perSecond }) => perSecond !== undefined)) {
      const seconds = new Map<number, number>();
      for (const row of rows) {
        const second = Math.floor(atOf(row) / 1_000);
        if (row["model"] === entry.model && atOf(row) >= from && atOf(row) < to) seconds.set(second, (seconds.get(second) ?? 0) + 1);
      }
      const counts = [...seconds.values()].sort((a, b) => a - b);
      const share = (whole: bigint) => round(whole * BigInt((to - from) / HOUR_MS), BigInt((month.to - month.from) / HOUR_MS));
      const { percentile, reserved } = entry.perSecond ?? {};
      const rate = percentile === undefined ? 0 : (counts[Math.ceil((counts.length * percentile.percentile) / 100) - 1] ?? 0);
      if (percentile !== undefined && rate > 0)
        made.push({ component: "percentileRate", pico: share(pico(percentile.price) * BigInt(rate)) });
      if (reserved === undefined) continue;
      made.push({ component: "reservedRate", pico: share(pico(reserved.price) * BigInt(reserved.requestsPerSecond)) });
      const above = counts.reduce((all, count) => all + Math.max(0, count - reserved.requestsPerSecond), 0);
      if (above > 0) made.push({ component: "rateOverage", pico: pico(reserved.overage) * BigInt(above) });
    }
  }
  return made;
}

function commitmentOf(revisions: readonly Revision[], month: Month): bigint {
  const times = spansOf(revisions, month).map(({ body, from, to }) => pico(body.commitment ?? "0") * BigInt(to - from));
  return round(sum(times), BigInt(month.to - month.from));
}

function pico(price: string): bigint {
  const [whole = "0", part = ""] = price.split(".");
  return BigInt(whole + part.padEnd(12, "0"));
}

/** Half away from zero. */
function round(top: bigint, bottom: bigint): bigint {
  const size = top < 0n ? -top : top;
  const rounded = size / bottom + (2n * (size % bottom) >= bottom ? 1n : 0n);
  return top < 0n ? -rounded : rounded;
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((all, each) => all + each, 0n);
}
