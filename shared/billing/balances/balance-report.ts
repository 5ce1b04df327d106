import type { Revision } from "../../dynamo/revision-log.ts";
import { printPico } from "../money.ts";
import { type Balance, balancePico, leasedPico, sumPico } from "./balance.ts";
import type { BalanceReport, Credit, CreditRevision } from "./credit.ts";
import { sweep } from "./purse.ts";

type About = { readonly tenant: string; readonly currency: string | null; readonly isPrepaid: boolean; readonly nowMs: number };

/** A balance in words, as of now: what is over is shown as expired, whether or not a write has said so yet. */
export function reportBalance(stored: Balance, { nowMs, ...about }: About): BalanceReport {
  const balance = sweep(stored, nowMs);
  return {
    ...about,
    balance: printPico(balancePico(balance)),
    leased: printPico(leasedPico(balance)),
    debt: printPico(balance.debtPico),
    granted: printPico(balance.grantedPico),
    spent: printPico(balance.spentPico),
    expired: printPico(balance.expiredPico),
    grants: balance.grants.map(({ id, amountPico, leftPico, grantedAtMs, expiresAtMs, priority }) => ({
      id,
      amount: printPico(amountPico),
      left: printPico(leftPico),
      grantedAt: timeOf(grantedAtMs),
      expiresAt: expiresAtMs === null ? null : timeOf(expiresAtMs),
      priority,
    })),
    leases: balance.leases.map(({ id, draws, isClosed, takenAtMs, expiresAtMs }) => ({
      id,
      amount: printPico(sumPico(draws)),
      isClosed,
      takenAt: timeOf(takenAtMs),
      expiresAt: timeOf(expiresAtMs),
    })),
  };
}

export function shownCredit({ body: { amountPico, ...credit }, ...stamp }: Revision<Credit>): CreditRevision {
  const { revision: number, by, why, at } = stamp;
  return { ...credit, amount: printPico(BigInt(amountPico)), revision: { number, by, why, at } };
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
