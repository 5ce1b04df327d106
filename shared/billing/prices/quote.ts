import * as z from "zod";
import { Tier } from "../../usage/row.ts";
import { printPico } from "../money.ts";
import { dearest, mostPicoOf, pricedParts } from "./cost.ts";
import type { PriceBook } from "./price-book.ts";
import type { EntryPlan } from "./price-plan.ts";

const Count = z.int().min(0).max(1_000_000_000);

/** A request that is not sent yet, as far as its cost goes. */
export const PriceQuestion = z
  .strictObject({
    model: z.string().min(1).max(200).meta({ description: "A model reference, such as `minilm` or `minilm@2`" }),
    inputs: z.int().min(1).max(10_000).default(1).meta({ description: "How many texts" }),
    inputTokens: Count.exactOptional().meta({ description: "Of all texts; absent, as much as the model reads of each" }),
    maxOutputTokens: Count.default(0).meta({ description: "New tokens at most, of all choices" }),
    computeMs: Count.exactOptional().meta({
      description: "Absent, compute time is left out, and the answer says what a millisecond costs",
    }),
    tier: Tier.exactOptional().meta({ description: "Absent, that of the model's own pool" }),
  })
  .meta({ id: "PriceQuestion" });
export type PriceQuestion = z.infer<typeof PriceQuestion>;

/** What a request would cost at most, and what that takes for granted. */
export const PriceQuote = z
  .object({
    model: z.string(),
    tier: Tier,
    amount: z.string().meta({ description: "In the currency's major unit, exact: an invoice rounds its lines, not requests" }),
    currency: z.string().nullable(),
    priceBook: z.string().nullable(),
    priceVersion: z.int().min(0).meta({ description: "The price book's revision; 0 if nothing of this tenant has a price now" }),
    inputTokens: z.int(),
    maxOutputTokens: z.int(),
    assumes: z.array(z.string()),
  })
  .meta({ id: "PriceQuote" });
export type PriceQuote = z.infer<typeof PriceQuote>;

type Asked = Pick<PriceQuote, "model" | "tier" | "inputTokens" | "maxOutputTokens"> & { readonly computeMs: number | undefined };
type Prices = { readonly revision: number; readonly body: PriceBook; readonly entry: EntryPlan | undefined; readonly discountBps: number };

/** Quotes by the prices in force, before discounts: they are taken off a month's sum. Where none are, the book that the tenant will be billed by, if there is one. */
export function quote(asked: Asked, prices: Prices | undefined, bookToCome?: string): PriceQuote {
  const { computeMs, ...shown } = asked;
  if (prices === undefined) {
    const why = bookToCome === undefined ? "nothing of this tenant has a price" : `no prices of the book '${bookToCome}' are in force yet`;
    return { ...shown, amount: "0", currency: null, priceBook: null, priceVersion: 0, assumes: [why] };
  }
  const { revision, body, entry } = prices;
  const usage = { tier: asked.tier, inputTokens: asked.inputTokens, outputTokens: asked.maxOutputTokens, computeMs: computeMs ?? 0 };
  const pico = entry === undefined ? 0n : mostPicoOf(entry, usage);
  if (pico === undefined) throw new Error("a quoted request has bounds");
  const named = { currency: body.currency, priceBook: body.name, priceVersion: revision };
  return { ...shown, amount: printPico(pico), ...named, assumes: assumptions(asked, prices) };
}

function assumptions({ computeMs, ...asked }: Asked, { body, entry, discountBps }: Prices): string[] {
  if (entry === undefined) return [`the book '${body.name}' does not price ${asked.model}`];
  const parts = pricedParts(entry, { tier: asked.tier, inputTokens: 0, outputTokens: 0, computeMs: 0 });
  const perMs = entry.computeMs[asked.tier];
  return [
    ...parts.filter(({ scale }) => scale.steps.length > 1).map(({ component }) => `${component}: the dearest step's price`),
    ...parts.filter(({ scale }) => scale.free > 0n).map(({ component }) => `${component}: the month's allowance is used up`),
    ...(perMs !== undefined && computeMs === undefined
      ? [`compute time is not in it: ${printPico(dearest(perMs))} a millisecond on ${asked.tier}`]
      : []),
    ...(entry.entry.perSecond === undefined ? [] : ["rates by the second are charged by the month and are not in it"]),
    ...(body.commitment === undefined ? [] : ["the month's commitment is not in it"]),
    ...(discountBps === 0 ? [] : [`the discount of ${discountBps / 100} % is taken off the month's sum and is not in it`]),
  ];
}
