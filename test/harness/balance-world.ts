import { Failure } from "../../shared/base/failure.ts";
import { systemIds } from "../../shared/base/id.ts";
import { applyCredit } from "../../shared/billing/balances/apply-credit.ts";
import type { Balance } from "../../shared/billing/balances/balance.ts";
import { type Change, changeBalance } from "../../shared/billing/balances/change-balance.ts";
import type { Credit } from "../../shared/billing/balances/credit.ts";
import { auditLease, hourOfLease, LEASE_LIFE_MS, reauditHour } from "../../shared/billing/balances/leases.ts";
import { createSpender, type Hold, type Spender } from "../../shared/billing/balances/spender.ts";
import { stopClock } from "./clock.ts";
import { createMemoryBalances, createMemoryLog, type Fate } from "./memory-balances.ts";

/** A request that a process works on: it has a row, which is billed in the end or not. */
type Running = { readonly process: number; readonly hold: Hold; readonly mostPico: bigint };
type Row = { readonly lease: string; readonly costPico: bigint };
type Sent = { readonly credit: Omit<Credit, "state">; isDone: boolean; isRefused: boolean };

export const PROCESSES = 3;
export const DAY_MS = 86_400_000;
const TENANT = "acme";
const SEAL_AFTER_MS = 15 * 60_000;

export type Ending = "billed" | "void" | "unknown but billed" | "unknown and void";

/** Gateways, credits and audits around one balance over a store that loses things; and the truth about it, which no part of the product keeps. */
export class BalanceWorld {
  readonly clock = stopClock();
  readonly rows: Row[] = [];
  readonly sent: Sent[] = [];
  /** By how much rows have cost more than was held for them. */
  excessPico = 0n;
  readonly #running: Running[] = [];
  readonly #balances;
  readonly #credits;
  readonly #spenders: Spender[];
  #isHealed = false;
  #calls = 0;

  constructor(fates: readonly Fate[]) {
    const fateOf = () => (this.#isHealed ? "done" : (fates[this.#calls++ % fates.length] ?? "done"));
    this.#balances = createMemoryBalances(fateOf);
    this.#credits = createMemoryLog<Credit>(fateOf);
    this.#spenders = Array.from({ length: PROCESSES }, (_, index) => this.#newSpender(`p${index}`));
  }

  get balance(): Balance {
    return this.#balances.peek(TENANT);
  }

  async credit(change: Pick<Credit, "kind" | "amountPico" | "expiresAt" | "priority">) {
    this.sent.push({ credit: { tenant: TENANT, id: `c${this.sent.length}`, ...change }, isDone: false, isRefused: false });
    await this.send(this.sent.length - 1);
  }

  /** Sends a credit, perhaps again. */
  async send(pick: number) {
    const entry = this.sent[pick % Math.max(1, this.sent.length)];
    if (entry === undefined) return;
    const stamp = { by: "test", why: "", atMs: this.clock.nowMs() };
    try {
      await applyCredit({ balances: this.#balances, credits: this.#credits }, { credit: entry.credit, stamp });
      entry.isDone = true;
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      if (cause.code === "conflict") entry.isRefused = true;
    }
  }

  async begin(process: number, mostPico: bigint) {
    try {
      const hold = await this.#spenders[process]?.hold({ tenant: TENANT, acceptedAtMs: this.clock.nowMs(), book: "standard", mostPico });
      if (hold !== undefined) this.#running.push({ process, hold, mostPico });
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
    }
  }

  end(pick: number, share: number, how: Ending) {
    const ended = this.#pick(pick);
    if (ended === undefined) return;
    const costPico = (ended.mostPico * BigInt(share)) / 100n;
    if (how.endsWith("billed")) this.#bill(ended, costPico);
    if (how === "billed") ended.hold.settle(costPico);
    else if (how === "void") ended.hold.release();
    else ended.hold.keep();
  }

  /** A row costs more than what was held for it, as engines may that do not keep to what they were asked. */
  endAbove(pick: number, excessPico: bigint) {
    const ended = this.#pick(pick);
    if (ended === undefined) return;
    this.excessPico += excessPico;
    this.#bill(ended, ended.mostPico + excessPico);
    ended.hold.settle(ended.mostPico + excessPico);
  }

  /** The rows of its requests expire: billed as far as they were checkpointed. */
  kill(process: number, share: number) {
    for (const dying of this.#running.filter((each) => each.process === process)) {
      this.#running.splice(this.#running.indexOf(dying), 1);
      this.#bill(dying, (dying.mostPico * BigInt(share)) / 100n);
    }
    this.#spenders[process] = this.#newSpender(`p${process}+`);
  }

  async tidy(process: number) {
    await this.#spenders[process]?.tidy();
  }

  async audit() {
    for (const { id, expiresAtMs } of this.balance.leases) {
      const isSealed = this.clock.nowMs() > expiresAtMs + SEAL_AFTER_MS && !this.#running.some(({ hold }) => hold.lease === id);
      const spentPico = this.spentOn((lease) => lease === id);
      if (isSealed) await this.#twice((balance) => auditLease(balance, { lease: id, spentPico, nowMs: this.clock.nowMs() }));
    }
  }

  async reaudit() {
    for (const { hour } of this.balance.hours) {
      const isAudited = this.clock.nowMs() > Date.parse(`${hour}:00:00Z`) + DAY_MS + 7_200_000;
      const spentPico = this.spentOn((lease) => hourOfLease(lease) === hour);
      if (isAudited) await this.#twice((balance) => reauditHour(balance, { hour, spentPico, nowMs: this.clock.nowMs() }));
    }
  }

  /** Voids a row after its seal; not after the seal's last revision. */
  voidLate(pick: number) {
    const row = this.rows[pick % Math.max(1, this.rows.length)];
    if (row === undefined) return;
    const { leases, hours } = this.balance;
    const isOpen = leases.some(({ id }) => id === row.lease) || hours.some(({ hour }) => hour === hourOfLease(row.lease));
    if (isOpen) this.rows.splice(this.rows.indexOf(row), 1);
  }

  /** The store is well again, and everything that was begun comes to its end. */
  async finish() {
    this.#isHealed = true;
    for (const each of this.#running.splice(0)) each.hold.release();
    this.clock.advance(LEASE_LIFE_MS + SEAL_AFTER_MS + 60_000);
    await this.audit();
    this.clock.advance(2 * DAY_MS);
    await this.reaudit();
    for (const index of this.sent.keys()) await this.send(index);
  }

  spentOn(isMeant: (lease: string) => boolean): bigint {
    return this.rows.filter(({ lease }) => isMeant(lease)).reduce((sum, { costPico }) => sum + costPico, 0n);
  }

  #newSpender(lessee: string) {
    return createSpender({ store: this.#balances, clock: this.clock, ids: systemIds, lessee });
  }

  #pick(pick: number) {
    return this.#running.splice(pick % Math.max(1, this.#running.length), 1)[0];
  }

  #bill({ hold }: Running, costPico: bigint) {
    this.rows.push({ lease: hold.lease, costPico });
  }

  /** As functions that run every minute do, whether or not the run before has heard that it was done. */
  async #twice(step: (balance: Balance) => Change<void>) {
    for (let time = 0; time < 2; time += 1) await changeBalance(this.#balances, TENANT, step).catch(() => {});
  }
}
