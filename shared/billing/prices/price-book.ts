import * as z from "zod";
import { RevisionStamp, Why } from "../../base/revision.ts";
import { ModelName } from "../../models/version.ts";
import { Currency } from "../currency.ts";
import { Price, PricePer1000 } from "../money.ts";
import { PriceBookName } from "../tenant-billing.ts";

export const ENTRIES_MAX = 500;
export const STEPS_MAX = 20;
/** Within what a number holds exactly, with room to add up. */
const QUANTITY_MAX = 10 ** 15;
const RATE_MAX = 1_000_000;
export const HOUR_MS = 3_600_000;
/** A change of prices is known everywhere before it is in force: caches live 30 s, and two clocks differ by 60 s at most. */
export const AHEAD_MS_MIN = 120_000;

/** The UTC hour that a revision is in force from: whole hours, since an hour's totals must belong to one revision. */
export const EffectiveFrom = z
  .string()
  .regex(/^20\d\d-[01]\d-[0-3]\dT[0-2]\d:00:00(\.000)?Z$/, "a whole hour in UTC, such as 2026-12-01T00:00:00Z")
  .refine(isHour, "there is no such hour");

/** A Date takes 31 February for 3 March. */
function isHour(text: string): boolean {
  const at = new Date(text);
  return Number.isFinite(at.getTime()) && at.toISOString().slice(0, 13) === text.slice(0, 13);
}

/** `upTo` is the last one that this step prices; the step after it begins there, so that steps can neither overlap nor leave a gap. */
function steps(price: typeof Price, max: number) {
  return z
    .array(z.strictObject({ upTo: z.int().min(1).max(max).exactOptional(), price }))
    .min(1)
    .max(STEPS_MAX)
    .superRefine((each, context) => {
      for (const [place, { upTo }] of each.entries()) {
        const isLast = place === each.length - 1;
        const before = each[place - 1]?.upTo ?? 0;
        if (isLast && upTo !== undefined) context.addIssue({ code: "custom", path: [place, "upTo"], message: "the last step has no end" });
        if (!isLast && upTo === undefined)
          context.addIssue({ code: "custom", path: [place, "upTo"], message: "only the last step has no end" });
        if (upTo !== undefined && upTo <= before)
          context.addIssue({ code: "custom", path: [place, "upTo"], message: `must be above ${before}, where the step before ends` });
      }
    });
}

/** One way to price a quantity: a price, or steps of it; exactly one of the three. */
function scale(price: typeof Price, max: number) {
  return {
    price: price.exactOptional(),
    graduated: steps(price, max).exactOptional().meta({ description: "Each step's price is for what lies in it" }),
    volume: steps(price, max).exactOptional().meta({ description: "The step that the whole quantity reaches prices all of it" }),
  };
}

type Scale = { readonly price?: string; readonly graduated?: readonly unknown[]; readonly volume?: readonly unknown[] };

function hasOneScale({ price, graduated, volume }: Scale): boolean {
  return [price, graduated, volume].filter((each) => each !== undefined).length === 1;
}

const ONE_SCALE = "say exactly one of price, graduated and volume";

/** A month's quantity of one thing: the first `free` of it cost nothing, the rest by its place on the scale. */
function quantityRate(price: typeof Price) {
  const free = z.int().min(1).max(QUANTITY_MAX).exactOptional().meta({ description: "So many a month cost nothing" });
  return z.strictObject({ ...scale(price, QUANTITY_MAX), free }).refine(hasOneScale, ONE_SCALE);
}

export const QuantityRate = quantityRate(Price).meta({ id: "QuantityRate" });
export type QuantityRate = z.infer<typeof QuantityRate>;
export const TokenRate = quantityRate(PricePer1000).meta({ id: "TokenRate" });

const PeakRate = z
  .strictObject({ of: z.enum(["second", "hour"]), ...scale(Price, RATE_MAX) })
  .refine(hasOneScale, ONE_SCALE)
  .meta({ id: "PeakRate", description: "Prices the highest requests per second of each second or hour, each on a scale of its own" });

const PercentileRate = z
  .strictObject({
    percentile: z.int().min(1).max(100).default(95),
    silentSeconds: z.enum(["count", "skip"]).meta({ description: "Whether a second without a request counts as zero, or not at all" }),
    price: Price,
  })
  .meta({ id: "PercentileRate", description: "A month of one request per second, at the nearest-rank percentile of the month's seconds" });

const ReservedRate = z
  .strictObject({
    requestsPerSecond: z.int().min(1).max(RATE_MAX),
    price: Price.meta({ description: "A month of one reserved request per second" }),
    overage: Price.meta({ description: "Each request of a second above the reserved rate" }),
  })
  .meta({ id: "ReservedRate" });

/** By requests per second of a model, whatever its versions. */
export const PerSecond = z
  .strictObject({ peak: PeakRate.exactOptional(), percentile: PercentileRate.exactOptional(), reserved: ReservedRate.exactOptional() })
  .meta({ id: "PerSecondPrices" });
export type PerSecond = z.infer<typeof PerSecond>;

/** What a model, or one version of it, or everything else (neither said) costs. The most specific entry is the whole answer: nothing is inherited. */
export const PriceEntry = z
  .strictObject({
    model: ModelName.exactOptional(),
    version: z.int().positive().exactOptional(),
    perRequest: QuantityRate.exactOptional(),
    per1000InputTokens: TokenRate.exactOptional(),
    per1000OutputTokens: TokenRate.exactOptional(),
    perComputeMs: z
      .strictObject({
        edge: QuantityRate.exactOptional(),
        cpu: QuantityRate.exactOptional(),
        gpu: QuantityRate.exactOptional(),
        upstream: QuantityRate.exactOptional(),
      })
      .exactOptional(),
    minimumPerRequest: Price.exactOptional(),
    perSecond: PerSecond.exactOptional(),
  })
  .superRefine((entry, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
    if (entry.version !== undefined && entry.model === undefined) refuse("version", "a version needs its model");
    if (entry.version !== undefined && entry.perSecond !== undefined)
      refuse("perSecond", "is of a model as a whole: put it into its entry");
    if (entry.minimumPerRequest !== undefined && !ratesOf(entry).every(isFlat))
      refuse("minimumPerRequest", "needs plain prices beside it: what a request costs must not depend on the others of its month");
  })
  .meta({ id: "PriceEntry" });
export type PriceEntry = z.infer<typeof PriceEntry>;

/** One revision of a price book: all that it charges from an hour on. Its revision's number is the `priceVersion` of rows. */
export const PriceBook = z.strictObject({
  name: PriceBookName,
  currency: Currency,
  effectiveFrom: EffectiveFrom,
  entries: z
    .array(PriceEntry)
    .min(1)
    .max(ENTRIES_MAX)
    .superRefine((entries, context) => {
      const seen = new Set<string>();
      for (const [place, { model, version }] of entries.entries()) {
        const name = `${model ?? ""}@${version ?? ""}`;
        if (seen.has(name)) context.addIssue({ code: "custom", path: [place], message: "prices what an entry before it prices" });
        seen.add(name);
      }
    }),
  commitment: Price.exactOptional().meta({
    description: "Charged in any month, after discounts: what a month's use lacks of it is a line of its own",
  }),
});
export type PriceBook = z.infer<typeof PriceBook>;

/** A revision as rating takes it: the log's own have more fields. */
export type PriceRevision = { readonly revision: number; readonly body: PriceBook };

export const PriceBookRevision = PriceBook.extend({ revision: RevisionStamp }).meta({ id: "PriceBook" });
export type PriceBookRevision = z.infer<typeof PriceBookRevision>;

/** What makes a book, or changes it. */
export const PriceBookChange = PriceBook.omit({ name: true }).extend({ why: Why.optional() }).meta({ id: "PriceBookChange" });
export type PriceBookChange = z.infer<typeof PriceBookChange>;

/** A book's revisions in their order, as an invoice is computed with them. */
export const InvoicePrices = z
  .object({
    name: PriceBookName,
    // Without entries for models that are none of its reader's, which may be all of them.
    revisions: z.array(z.object({ revision: z.int(), body: PriceBook.extend({ entries: z.array(PriceEntry).max(ENTRIES_MAX) }) })),
  })
  .meta({ id: "InvoicePrices" });
export type InvoicePrices = z.infer<typeof InvoicePrices>;

/** The group that lists all price books. */
export const PRICE_BOOK_GROUP = "prices";

/** A revision can be told from a request on its own: no tiers, allowances, rates or commitment. Prepaid tenants need such a book. */
export function isPathIndependent({ entries, commitment }: PriceBook): boolean {
  return commitment === undefined && entries.every((entry) => entry.perSecond === undefined && ratesOf(entry).every(isFlat));
}

export function ratesOf({ perRequest, per1000InputTokens, per1000OutputTokens, perComputeMs }: PriceEntry): QuantityRate[] {
  const { edge, cpu, gpu, upstream } = perComputeMs ?? {};
  return [perRequest, per1000InputTokens, per1000OutputTokens, edge, cpu, gpu, upstream].filter((each) => each !== undefined);
}

function isFlat({ price, free }: QuantityRate): boolean {
  return price !== undefined && free === undefined;
}
