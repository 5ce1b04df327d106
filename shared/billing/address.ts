import * as z from "zod";

/** As it is printed, line by line: forms of addresses differ too much between countries to be fields. */
export const Address = z.array(z.string().min(1).max(200)).min(1).max(8);
export const TaxId = z.string().min(1).max(40);
