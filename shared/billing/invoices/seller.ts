import * as z from "zod";
import { RevisionStamp, Why } from "../../base/revision.ts";
import { Address, TaxId } from "../address.ts";

const Prefix = z.string().regex(/^[A-Z0-9][A-Z0-9-]{0,11}$/, "a prefix is 1 to 12 of A-Z 0-9 -");

/** As mail takes them at most: 64 characters before the sign (RFC 5321, 4.5.3.1). Whether somebody reads it, no form can tell. */
const EmailAddress = z
  .string()
  .regex(/^[!-?A-~]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, "an address such as billing@example.com")
  .max(200);

/** Who sends the invoices: one per installation, printed on each of them as it was when it was issued. */
export const Seller = z.object({
  name: z.string().min(1).max(200),
  address: Address,
  taxId: TaxId.optional(),
  email: EmailAddress.optional(),
  /** How to pay, line by line: bank, account, reference. */
  payment: Address.optional(),
  /** Small print at the end, such as why no tax is shown. */
  note: z.string().max(1_000).optional(),
  paymentTermDays: z.int().min(0).max(365),
  retentionYears: z.int().min(1).max(30).optional().meta({
    description: "For how many full years the seller's country wants documents kept after a tenant's deletion; 10 unless said",
  }),
  /** What stands before a number: `INV` makes `INV-000017`. */
  invoicePrefix: Prefix,
  creditPrefix: Prefix,
});
export type Seller = z.infer<typeof Seller>;

/** The id of the only one. */
export const SELLER = "seller";

export const SellerRevision = Seller.extend({ revision: RevisionStamp }).meta({ id: "Seller" });
export type SellerRevision = z.infer<typeof SellerRevision>;

export const SellerChange = z
  .strictObject({
    ...Seller.shape,
    paymentTermDays: Seller.shape.paymentTermDays.default(30),
    invoicePrefix: Prefix.default("INV"),
    creditPrefix: Prefix.default("CN"),
    why: Why.optional(),
  })
  .refine(({ invoicePrefix, creditPrefix }) => invoicePrefix !== creditPrefix, {
    path: ["creditPrefix"],
    error: "invoices and credit notes have numbers of their own, so their prefixes differ",
  });
export type SellerChange = z.input<typeof SellerChange>;
