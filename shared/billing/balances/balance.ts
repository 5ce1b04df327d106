import * as z from "zod";

/** Grants that still hold something, or that leases have drawn from. */
export const GRANTS_MAX = 100;
/** Leases of a tenant that are open or not yet audited: about four for each process that serves it. */
export const LEASES_MAX = 500;
/** Hours that wait for the re-audit of their seals, which comes after a day. */
export const HOURS_MAX = 1_000;
/** Credits that were decided on and whose records do not say so yet. */
export const VERDICTS_MAX = 100;
/** The lowest is used first. */
export const PRIORITY_MAX = 100;
export const PRIORITY_DEFAULT = 50;

/** A credit's or a lease's id as people and processes write it. */
export const CREDIT_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Pico-units (1e-12) of the tenant's currency; in JSON as text, since JSON's numbers are not exact. */
const Pico = z.codec(z.string().regex(/^-?\d{1,38}$/), z.bigint(), { decode: (text) => BigInt(text), encode: (pico) => `${pico}` });

/** Credits that were given at once: what is left of them, until when, and in which order they are used. */
export const Grant = z.object({
  id: z.string(),
  amountPico: Pico,
  /** Neither spent nor in a lease. */
  leftPico: Pico,
  grantedAtMs: z.int(),
  /** Null for credits that never expire. */
  expiresAtMs: z.int().nullable(),
  priority: z.int().min(0).max(PRIORITY_MAX),
});
export type Grant = Readonly<z.infer<typeof Grant>>;

export const Draw = z.object({ grant: z.string(), amountPico: Pico });
export type Draw = Readonly<z.infer<typeof Draw>>;

/**
 * Credits in the hands of one gateway process, which spends them without asking. `open` until the process says what it has spent
 * (`closed`: the rest is back already) or has died; then it is audited against the sealed rows that name it, and is gone.
 */
export const Lease = z.object({
  id: z.string(),
  lessee: z.string(),
  isClosed: z.boolean(),
  takenAtMs: z.int(),
  /** No request is begun on it from then on, by the clock of its process. */
  expiresAtMs: z.int(),
  /** How often credits were put into it: a take whose acknowledgement was lost is recognised by it. */
  takes: z.int().positive(),
  /** In the order in which they were drawn; spending counts against the first, so the last are returned first. */
  draws: z.array(Draw),
});
export type Lease = Readonly<z.infer<typeof Lease>>;

export const CreditVerdict = z.object({ id: z.string(), isApplied: z.boolean() });

/** What leases taken in one UTC hour (`2026-11-23T19`) have spent by the first revisions of their seals, until it is compared with the last ones. */
export const AuditedHour = z.object({ hour: z.string(), spentPico: Pico });
export type AuditedHour = Readonly<z.infer<typeof AuditedHour>>;

/**
 * A tenant's prepaid balance: one item, changed by one conditional write. At all times, to the pico:
 * granted = left in grants − debt + in leases + spent + expired.
 */
export const Balance = z.object({
  /** One more than may be given: what a re-audit returned. */
  grants: z.array(Grant).max(GRANTS_MAX + 1),
  leases: z.array(Lease).max(LEASES_MAX),
  hours: z.array(AuditedHour).max(HOURS_MAX),
  /** What audited rows cost beyond all credits; the next credits pay it first. */
  debtPico: Pico,
  /** Over all time: credits given less those taken away, what audited leases have spent, and what has expired unused. */
  grantedPico: Pico,
  spentPico: Pico,
  expiredPico: Pico,
  /** What became of credits whose records may not say so yet. */
  verdicts: z.array(CreditVerdict).max(VERDICTS_MAX),
});
export type Balance = Readonly<z.infer<typeof Balance>>;

export const EMPTY_BALANCE: Balance = {
  grants: [],
  leases: [],
  hours: [],
  debtPico: 0n,
  grantedPico: 0n,
  spentPico: 0n,
  expiredPico: 0n,
  verdicts: [],
};

/** A balance as it was read, and the number that a write has to find unchanged; 0 where there is none yet. */
export type StoredBalance = { readonly balance: Balance; readonly version: number };

/** Where balances lie, one item per tenant. */
export type BalanceStore = {
  /** Read consistently. Fails with `unavailable`, also while this machine's clock is too far from the store's. */
  readonly read: (tenant: string) => Promise<StoredBalance>;
  /**
   * Puts the balance if its item still has `version`. False if somebody was faster.
   * Fails with `unavailable` when the store did not say what became of it: read again, the write may have been done.
   */
  readonly write: (tenant: string, stored: StoredBalance) => Promise<boolean>;
};

export function sumPico(items: readonly { readonly amountPico: bigint }[]): bigint {
  return items.reduce((sum, { amountPico }) => sum + amountPico, 0n);
}

/** What no lease has taken and nobody has spent; below zero by what rows have cost beyond it. */
export function balancePico({ grants, debtPico }: Balance): bigint {
  return grants.reduce((sum, { leftPico }) => sum + leftPico, 0n) - debtPico;
}

/** What is in leases: spent or not, it is not known yet. */
export function leasedPico({ leases }: Balance): bigint {
  return leases.reduce((sum, { draws }) => sum + sumPico(draws), 0n);
}
