import { type Balance, balancePico, type Draw, type Grant, sumPico } from "./balance.ts";

/** The arithmetic under every change of a balance: each function keeps granted = left − debt + in leases + spent + expired, once its draws are counted. */

/** Moves what is left in grants that are over to what has expired. Each change begins with it. */
export function sweep(balance: Balance, nowMs: number): Balance {
  const expiredPico = sumLeft(balance.grants.filter((grant) => isOver(grant, nowMs)));
  const grants = balance.grants.map((grant) => (isOver(grant, nowMs) ? { ...grant, leftPico: 0n } : grant));
  return { ...balance, grants, expiredPico: balance.expiredPico + expiredPico };
}

/** Takes up to `mostPico` out of the grants: by priority, then what expires first, then what is oldest. */
export function draw(balance: Balance, mostPico: bigint): { balance: Balance; draws: readonly Draw[] } {
  const draws: Draw[] = [];
  let missingPico = mostPico;
  for (const { id, leftPico } of [...balance.grants].sort(byUse)) {
    const amountPico = leftPico < missingPico ? leftPico : missingPico;
    if (amountPico > 0n) draws.push({ grant: id, amountPico });
    missingPico -= amountPico;
  }
  const drawn = new Map(draws.map(({ grant, amountPico }) => [grant, amountPico]));
  const grants = balance.grants.map((grant) => ({ ...grant, leftPico: grant.leftPico - (drawn.get(grant.id) ?? 0n) }));
  return { balance: { ...balance, grants }, draws };
}

/** Returns what was drawn: to debts first, then to the grants that it came from; what came from grants that are over has expired. */
export function giveBack(balance: Balance, draws: readonly Draw[], nowMs: number): Balance {
  return draws.reduce((before, each) => giveBackOne(before, each, nowMs), balance);
}

function giveBackOne(balance: Balance, { grant: id, amountPico }: Draw, nowMs: number): Balance {
  const paidPico = amountPico < balance.debtPico ? amountPico : balance.debtPico;
  const restPico = amountPico - paidPico;
  const paid = { ...balance, debtPico: balance.debtPico - paidPico };
  const grant = balance.grants.find((each) => each.id === id);
  if (grant === undefined || isOver(grant, nowMs)) return { ...paid, expiredPico: paid.expiredPico + restPico };
  return { ...paid, grants: paid.grants.map((each) => (each.id === id ? { ...each, leftPico: each.leftPico + restPico } : each)) };
}

/** Takes what was spent beyond its lease: from the grants, and as a debt what they do not have. */
export function overdraw(balance: Balance, amountPico: bigint): Balance {
  const { balance: after, draws } = draw(balance, amountPico);
  return { ...after, debtPico: after.debtPico + amountPico - sumPico(draws) };
}

/** Parts draws at an amount: spending counts against the first. */
export function partDraws(draws: readonly Draw[], spentPico: bigint): { spent: readonly Draw[]; rest: readonly Draw[] } {
  const spent: Draw[] = [];
  const rest: Draw[] = [];
  let openPico = spentPico;
  for (const { grant, amountPico } of draws) {
    const part = amountPico < openPico ? amountPico : openPico;
    if (part > 0n) spent.push({ grant, amountPico: part });
    if (part < amountPico) rest.push({ grant, amountPico: amountPico - part });
    openPico -= part;
  }
  return { spent, rest };
}

/** Draws of one grant become one. */
export function mergeDraws(draws: readonly Draw[]): readonly Draw[] {
  const amounts = new Map<string, bigint>();
  for (const { grant, amountPico } of draws) amounts.set(grant, (amounts.get(grant) ?? 0n) + amountPico);
  return [...amounts].map(([grant, amountPico]) => ({ grant, amountPico }));
}

/** Lets go of grants that hold nothing and that no lease could return anything to. */
export function tidy(balance: Balance): Balance {
  const drawnFrom = new Set(balance.leases.flatMap(({ draws }) => draws.map(({ grant }) => grant)));
  return { ...balance, grants: balance.grants.filter(({ id, leftPico }) => leftPico > 0n || drawnFrom.has(id)) };
}

/** What a lease may still take. */
export function freePico(balance: Balance): bigint {
  const pico = balancePico(balance);
  return pico > 0n ? pico : 0n;
}

export function isOver({ expiresAtMs }: Pick<Grant, "expiresAtMs">, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

function byUse(a: Grant, b: Grant): number {
  const [aEndsMs, bEndsMs] = [a.expiresAtMs ?? Number.MAX_SAFE_INTEGER, b.expiresAtMs ?? Number.MAX_SAFE_INTEGER];
  return a.priority - b.priority || aEndsMs - bEndsMs || a.grantedAtMs - b.grantedAtMs || (a.id < b.id ? -1 : 1);
}

function sumLeft(grants: readonly Grant[]): bigint {
  return grants.reduce((sum, { leftPico }) => sum + leftPico, 0n);
}
