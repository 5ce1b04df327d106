import * as z from "zod";
import { Amount } from "../amount.ts";

const PERCENTS_MAX = 10;

/** What a tenant means to spend in a UTC month at most, and at which shares of it somebody is told. It stops nothing: a prepaid balance does. */
export const Budget = z
  .strictObject({
    amount: Amount.meta({ description: "In the currency of the tenant's price book, before tax" }),
    alertPercents: z
      .array(z.int().min(1).max(1_000))
      .min(1)
      .max(PERCENTS_MAX)
      .refine((percents) => percents.every((percent, place) => percent > (percents[place - 1] ?? 0)), "must rise")
      .default([50, 80, 100])
      .meta({ description: "Each is told once a month, as an event. Usage is known once it is sealed, so up to half an hour late" }),
  })
  .meta({ id: "Budget" });
export type Budget = z.infer<typeof Budget>;
