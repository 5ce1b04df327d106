import { Failure } from "../../base/failure.ts";
import type { Revision, RevisionLog, Change as Stamp } from "../../dynamo/revision-log.ts";
import { type Balance, type BalanceStore, GRANTS_MAX, VERDICTS_MAX } from "./balance.ts";
import { type Change, changeBalance } from "./change-balance.ts";
import { type Credit, creditKeyOf } from "./credit.ts";
import { draw, freePico, giveBack, sweep, tidy } from "./purse.ts";

export type CreditDeps = { readonly balances: BalanceStore; readonly credits: RevisionLog<Credit> };
type Entry = { readonly credit: Omit<Credit, "state">; readonly stamp: Stamp };
type Verdict = "applied" | "refused";

/**
 * Applies a credit once, whatever is lost on the way: its record is put first, then the balance takes it and keeps its id,
 * then the record says so. The same id with the same content changes nothing; with other content it is a `conflict`.
 */
export async function applyCredit(deps: CreditDeps, entry: Entry): Promise<Revision<Credit>> {
  const requested = await request(deps, entry);
  if (requested.body.state !== "requested") return requested;
  const verdict = await changeBalance(deps.balances, entry.credit.tenant, (balance) => decide(deps, balance, entry));
  const done = await conclude(deps, entry, { after: requested.revision, verdict });
  if (done.body.state === "refused") throw refusal(entry.credit);
  return done;
}

async function request({ credits }: CreditDeps, { credit, stamp }: Entry): Promise<Revision<Credit>> {
  const key = creditKeyOf(credit);
  const known = await credits.current(key);
  if (known === undefined) {
    try {
      return await credits.append(key, 0, { body: { ...credit, state: "requested" }, change: stamp });
    } catch (cause) {
      const other = await credits.current(key); // another with the same id was faster, or this one's acknowledgement was lost
      if (other === undefined) throw cause;
      return sameOrConflict(other, credit);
    }
  }
  return sameOrConflict(known, credit);
}

function sameOrConflict(known: Revision<Credit>, credit: Entry["credit"]): Revision<Credit> {
  const { state, ...before } = known.body;
  if (state === "refused") throw refusal(credit);
  const isSame = (Object.keys(credit) as (keyof typeof before)[]).every((field) => before[field] === credit[field]); // both are of one schema
  if (isSame) return known;
  throw new Failure("conflict", `There is a credit '${credit.id}' with another content already.`, { field: "id" });
}

/**
 * The record is read after the balance: a verdict leaves the balance only once its record says it. So if neither knows one, there was none
 * before this balance was read, and the write is conditional on that balance. A refusal is written, too: two who decide differently would
 * else both be right.
 */
async function decide(deps: CreditDeps, before: Balance, { credit, stamp }: Entry): Promise<Change<Verdict>> {
  const balance = await pruned(deps, before, credit.tenant);
  const record = await deps.credits.current(creditKeyOf(credit));
  if (record !== undefined && record.body.state !== "requested") return { result: record.body.state };
  const known = before.verdicts.find(({ id }) => id === credit.id);
  if (known !== undefined) return { result: known.isApplied ? "applied" : "refused" };
  // What is over is let go of first: of a balance that nobody has used since, expired grants would be in the way of new ones for ever.
  const applied = put(tidy(sweep(balance, stamp.atMs)), credit, stamp.atMs);
  const isApplied = applied !== undefined;
  const changed = applied ?? balance;
  return {
    balance: { ...changed, verdicts: [...changed.verdicts, { id: credit.id, isApplied }] },
    result: isApplied ? "applied" : "refused",
  };
}

/** Undefined where the balance cannot take it: more taken away than is free, or no room for a grant. */
function put(balance: Balance, credit: Entry["credit"], nowMs: number): Balance | undefined {
  const amountPico = BigInt(credit.amountPico);
  const granted = { ...balance, grantedPico: balance.grantedPico + amountPico };
  if (amountPico < 0n) return freePico(balance) < -amountPico ? undefined : tidy(draw(granted, -amountPico).balance);
  if (balance.grants.length >= GRANTS_MAX) return undefined;
  const expiresAtMs = credit.expiresAt === null ? null : Date.parse(credit.expiresAt);
  const grant = { id: credit.id, amountPico, leftPico: 0n, grantedAtMs: nowMs, expiresAtMs, priority: credit.priority };
  return tidy(giveBack({ ...granted, grants: [...granted.grants, grant] }, [{ grant: credit.id, amountPico }], nowMs));
}

/** Lets go of verdicts that records say by now; only when there are many, since each is a read. */
async function pruned({ credits }: CreditDeps, balance: Balance, tenant: string): Promise<Balance> {
  if (balance.verdicts.length < VERDICTS_MAX) return balance;
  const records = await Promise.all(balance.verdicts.map(({ id }) => credits.current(creditKeyOf({ tenant, id }))));
  const verdicts = balance.verdicts.filter((_, index) => records[index]?.body.state === "requested");
  if (verdicts.length < VERDICTS_MAX) return { ...balance, verdicts };
  throw new Failure("unavailable", "Too many credits of this tenant are being applied. Try again.", { retryAfterMs: 5_000 });
}

async function conclude(
  { credits }: CreditDeps,
  { credit, stamp }: Entry,
  { after, verdict }: { after: number; verdict: Verdict },
): Promise<Revision<Credit>> {
  const key = creditKeyOf(credit);
  try {
    return await credits.append(key, after, { body: { ...credit, state: verdict }, change: stamp });
  } catch (cause) {
    const known = await credits.current(key); // somebody else has concluded it, with what the balance said
    if (known === undefined || known.body.state === "requested") throw cause;
    return known;
  }
}

function refusal({ amountPico }: Entry["credit"]): Failure {
  return amountPico.startsWith("-")
    ? new Failure("conflict", "The balance has less free than is to be taken away.", { field: "amount" })
    : new Failure("conflict", `A balance has at most ${GRANTS_MAX} grants that hold something.`, { field: "id" });
}
