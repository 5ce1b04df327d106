import * as z from "zod";
import { RevisionStamp, Why } from "../../base/revision.ts";
import { Amount, SignedAmount } from "../amount.ts";
import { CREDIT_ID_PATTERN, PRIORITY_DEFAULT, PRIORITY_MAX } from "./balance.ts";

const CreditId = z
  .string()
  .regex(CREDIT_ID_PATTERN, "an id is 1 to 63 of A-Z a-z 0-9 . _ - and starts with a letter or digit")
  .meta({ description: "Of your choice, such as a payment's number: the same id again changes nothing" });

/**
 * Credits that were given to a prepaid balance or taken from it, as a record of their own: revision 1 says that they are to be, the last one what
 * became of it. So a credit is applied once however often it is sent, and its history is the audit trail.
 */
export const Credit = z.object({
  tenant: z.string(),
  id: CreditId,
  kind: z.enum(["grant", "adjustment"]),
  /** Pico-units as text; below zero for an adjustment that takes away. */
  amountPico: z.string().regex(/^-?\d{1,38}$/),
  expiresAt: z.iso.datetime().nullable(),
  priority: z.int().min(0).max(PRIORITY_MAX),
  state: z.enum(["requested", "applied", "refused"]),
});
export type Credit = Readonly<z.infer<typeof Credit>>;

/** The group that lists a tenant's credits. */
export const creditGroupOf = (tenant: string) => `credits#${tenant}`;
export const creditKeyOf = ({ tenant, id }: Pick<Credit, "tenant" | "id">) => `${tenant}/${id}`;

/** Credits for a prepaid tenant: a payment, a gift. */
export const NewGrant = z
  .strictObject({
    id: CreditId,
    amount: Amount,
    expiresAt: z.iso.datetime({ offset: true }).optional().meta({ description: "Absent, the credits never expire" }),
    priority: z
      .int()
      .min(0)
      .max(PRIORITY_MAX)
      .default(PRIORITY_DEFAULT)
      .meta({ description: "Grants are used from the lowest to the highest; among equals, what expires first" }),
    why: Why.min(1),
  })
  .meta({ id: "NewGrant" });
export type NewGrant = z.input<typeof NewGrant>;

/** A correction by hand. */
export const NewAdjustment = z
  .strictObject({ id: CreditId, amount: SignedAmount, why: Why.min(1) })
  .meta({ id: "NewAdjustment", description: "A negative amount takes away what is free, and is refused if that is less" });
export type NewAdjustment = z.input<typeof NewAdjustment>;

/** A credit as the admin API shows it. */
export const CreditRevision = Credit.omit({ amountPico: true })
  .extend({ amount: z.string(), revision: RevisionStamp })
  .meta({ id: "Credit" });
export type CreditRevision = z.infer<typeof CreditRevision>;

const Money = z.string().meta({ description: 'In the major unit, such as "12.5"' });

/** A balance as its tenant and operators see it. */
export const BalanceReport = z
  .object({
    tenant: z.string(),
    /** Null while the tenant has no price book. */
    currency: z.string().nullable(),
    isPrepaid: z.boolean(),
    balance: Money.meta({ description: "Free to be used, less debts" }),
    leased: Money.meta({
      description: "In the hands of gateways, or waiting for its rows to be sealed: what is not spent of it comes back",
    }),
    debt: Money,
    granted: Money.meta({ description: "Over all time, less what was taken away" }),
    spent: Money.meta({ description: "By sealed rows, over all time" }),
    expired: Money,
    grants: z.array(
      z.object({
        id: z.string(),
        amount: Money,
        left: Money,
        grantedAt: z.iso.datetime(),
        expiresAt: z.iso.datetime().nullable(),
        priority: z.int(),
      }),
    ),
    leases: z.array(
      z.object({ id: z.string(), amount: Money, isClosed: z.boolean(), takenAt: z.iso.datetime(), expiresAt: z.iso.datetime() }),
    ),
  })
  .meta({ id: "Balance" });
export type BalanceReport = z.infer<typeof BalanceReport>;
