import * as z from "zod";
import { Address, TaxId } from "./address.ts";
import { Budget } from "./balances/budget.ts";

export const PriceBookName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "a price book's name is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit");

const Bps = z.int().min(0).max(10_000);

/**
 * How a tenant is billed. The book and the discount that a tenant has when a month ends are those of the whole month:
 * a move to another book would otherwise cut every allowance and every tier in two.
 */
export const TenantBilling = z
  .strictObject({
    priceBook: PriceBookName,
    discountBps: Bps.default(0).meta({
      description: "Off all that the book charges, in 1/10,000; a commitment is compared with what is left",
    }),
    taxRateBps: Bps.default(0).meta({ description: "Of the total, in 1/10,000" }),
    name: z.string().min(1).max(200).exactOptional().meta({ description: "Who is billed, if that is not the tenant's name" }),
    address: Address.exactOptional(),
    taxId: TaxId.exactOptional(),
    isPrepaid: z.boolean().exactOptional().meta({
      description:
        "Requests are paid from a balance, and refused with 402 when it does not cover them. The book may hold plain prices only",
    }),
    budget: Budget.exactOptional(),
  })
  .meta({ id: "TenantBilling" });
export type TenantBilling = z.infer<typeof TenantBilling>;
