import { expect, test } from "vitest";
import { systemIds } from "../../base/id.ts";
import { type Balance, balancePico, EMPTY_BALANCE, GRANTS_MAX, type Grant, LEASES_MAX, leasedPico } from "./balance.ts";
import { auditLease, closeLease, hourOfLease, LEASE_LIFE_MS, reauditHour, type Take, takeLease, trimLease } from "./leases.ts";

const NOW_MS = Date.UTC(2026, 10, 23, 19, 25);
const LEASE = systemIds.requestId(NOW_MS);

const grantOf = (id: string, pico: bigint, rest: Partial<Grant> = {}): Grant => ({
  id,
  amountPico: pico,
  leftPico: pico,
  grantedAtMs: NOW_MS,
  expiresAtMs: null,
  priority: 50,
  ...rest,
});
const balanceOf = (...grants: Grant[]): Balance => ({
  ...EMPTY_BALANCE,
  grants,
  grantedPico: grants.reduce((sum, { amountPico }) => sum + amountPico, 0n),
});
const take = (rest: Partial<Take> = {}): Take => ({
  lease: LEASE,
  lessee: "p1",
  take: 1,
  wantPico: 40n,
  leastPico: 10n,
  nowMs: NOW_MS,
  ...rest,
});
const lefts = ({ grants }: Balance) => Object.fromEntries(grants.map(({ id, leftPico }) => [id, leftPico]));

/** What a change makes, where it makes something. */
function made(change: { readonly balance?: Balance }): Balance {
  if (change.balance === undefined) throw new Error("nothing was changed");
  return change.balance;
}

test("the lowest priority is drawn first, among equals what expires first, then what is oldest", () => {
  const balance = balanceOf(
    grantOf("paid", 10n, { grantedAtMs: NOW_MS - 1 }),
    grantOf("gift", 10n, { priority: 1 }),
    grantOf("soon", 10n, { expiresAtMs: NOW_MS + 5 }),
    grantOf("over", 10n, { expiresAtMs: NOW_MS, priority: 0 }),
  );

  const taken = made(takeLease(balance, take({ wantPico: 25n, leastPico: 25n })));

  expect(taken.leases[0]?.draws).toEqual([
    { grant: "gift", amountPico: 10n },
    { grant: "soon", amountPico: 10n },
    { grant: "paid", amountPico: 5n },
  ]);
  expect(taken.expiredPico).toBe(10n);
});

test("the same take again changes nothing, the next one puts more into the lease", () => {
  const first = made(takeLease(balanceOf(grantOf("a", 100n)), take()));

  const again = takeLease(first, take({ wantPico: 99n }));
  const second = takeLease(first, take({ take: 2, wantPico: 10n }));

  expect(again).toEqual({ result: { kind: "taken", drawnPico: 40n, expiresAtMs: NOW_MS + LEASE_LIFE_MS } });
  expect(second.result).toMatchObject({ kind: "taken", drawnPico: 50n });
  expect(made(second).leases[0]?.draws).toEqual([{ grant: "a", amountPico: 50n }]);
});

test("a lease takes half of its process's share at most, unless the request needs more", () => {
  const balance = made(takeLease(balanceOf(grantOf("a", 140n)), take({ lessee: "p2", lease: systemIds.requestId(NOW_MS) })));

  expect(takeLease(balance, take({ wantPico: 1_000n })).result).toMatchObject({ drawnPico: 25n }); // 100 are free, for two
  expect(takeLease(balance, take({ wantPico: 1_000n, leastPico: 60n })).result).toMatchObject({ drawnPico: 60n });
  expect(takeLease(balance, take({ leastPico: 101n }))).toEqual({ result: { kind: "insufficient", freePico: 100n } });
});

test("nothing more goes into a lease that is closed, over or gone, nor into a new one that comes too late", () => {
  const open = made(takeLease(balanceOf(grantOf("a", 100n)), take()));
  const closed = made(closeLease(open, { lease: LEASE, spentPico: 5n, nowMs: NOW_MS }));
  const over = { result: { kind: "over" } };

  expect(takeLease(closed, take({ take: 2 }))).toEqual(over);
  expect(takeLease(open, take({ take: 2, nowMs: NOW_MS + LEASE_LIFE_MS }))).toEqual(over);
  expect(takeLease(balanceOf(grantOf("a", 100n)), take({ take: 2 }))).toEqual(over);
  expect(takeLease(balanceOf(grantOf("a", 100n)), take({ nowMs: NOW_MS + LEASE_LIFE_MS + 1 }))).toEqual(over);
});

test("so many leases and no more", () => {
  const [open] = made(takeLease(balanceOf(grantOf("a", 100n)), take())).leases;
  const leases = Array.from({ length: LEASES_MAX }, (_, index) => ({ ...open, id: `l${index}` })) as Balance["leases"];

  expect(takeLease({ ...balanceOf(grantOf("a", 100n)), leases }, take())).toEqual({ result: { kind: "full" } });
});

test("what is returned goes to where it came from, the last draws first, and to nothing that is over", () => {
  const grants = [grantOf("a", 10n, { expiresAtMs: NOW_MS + 1_000 }), grantOf("b", 10n), grantOf("c", 10n)];
  const open = made(takeLease(balanceOf(...grants), take({ wantPico: 25n, leastPico: 25n })));

  const soon = made(closeLease(open, { lease: LEASE, spentPico: 4n, nowMs: NOW_MS }));
  const late = made(closeLease(open, { lease: LEASE, spentPico: 4n, nowMs: NOW_MS + 1_000 }));

  expect(lefts(soon)).toEqual({ a: 6n, b: 10n, c: 10n });
  expect(lefts(late)).toEqual({ a: 0n, b: 10n, c: 10n });
  expect(late.expiredPico).toBe(6n);
  expect(leasedPico(late)).toBe(4n);
  expect(closeLease(late, { lease: LEASE, spentPico: 4n, nowMs: NOW_MS })).toEqual({ result: undefined });
});

test("a lease that is trimmed keeps what is spent or held, and can be drawn on; after another take, closed or twice nothing is returned", () => {
  const balance = made(takeLease(balanceOf(grantOf("a", 30n), grantOf("b", 100n)), take({ wantPico: 60n, leastPico: 60n })));
  const trim = { lease: LEASE, takes: 1, keptPico: 20n, nowMs: NOW_MS };

  const trimmed = made(trimLease(balance, trim));
  const more = made(takeLease(trimmed, take({ take: 2, wantPico: 15n, leastPico: 15n })));

  expect([lefts(trimmed), trimmed.leases[0]]).toMatchObject([
    { a: 10n, b: 100n },
    { isClosed: false, takes: 1 },
  ]);
  expect([lefts(more), leasedPico(more)]).toEqual([{ a: 0n, b: 95n }, 35n]);
  expect(trimLease(trimmed, trim).balance).toBeUndefined();
  expect(trimLease(more, trim).balance).toBeUndefined();
  expect(trimLease(made(closeLease(balance, { lease: LEASE, spentPico: 40n, nowMs: NOW_MS })), trim).balance).toBeUndefined();
  expect(trimLease(balance, { ...trim, keptPico: 70n }).balance).toBeUndefined();
});

test("an audit returns granted − sealed rows, whatever the process said, once", () => {
  const open = made(takeLease(balanceOf(grantOf("a", 100n)), take()));
  const closed = made(closeLease(open, { lease: LEASE, spentPico: 30n, nowMs: NOW_MS }));

  for (const [before, spentPico] of [
    [open, 7n],
    [closed, 7n],
    [closed, 33n],
  ] as const) {
    const after = made(auditLease(before, { lease: LEASE, spentPico, nowMs: NOW_MS }));

    expect(after).toMatchObject({ leases: [], spentPico, debtPico: 0n });
    expect(balancePico(after)).toBe(100n - spentPico);
    expect(auditLease(after, { lease: LEASE, spentPico, nowMs: NOW_MS })).toEqual({ result: undefined });
  }
});

test("rows that cost more than all that there is are a debt, which the next returns pay", () => {
  const other = systemIds.requestId(NOW_MS);
  const both = made(
    takeLease(
      made(takeLease(balanceOf(grantOf("a", 50n)), take({ leastPico: 30n, wantPico: 30n }))),
      take({ lease: other, leastPico: 20n }),
    ),
  );

  const owing = made(auditLease(both, { lease: LEASE, spentPico: 45n, nowMs: NOW_MS }));
  const paid = made(auditLease(owing, { lease: other, spentPico: 0n, nowMs: NOW_MS }));

  expect(balancePico(owing)).toBe(-15n);
  expect(takeLease(owing, take({ lease: systemIds.requestId(NOW_MS), leastPico: 1n })).result).toEqual({
    kind: "insufficient",
    freePico: 0n,
  });
  expect(balancePico(paid)).toBe(5n);
});

test("the re-audit of an hour charges what came late and returns what was voided, once, and not while a lease of it is open", () => {
  const open = made(takeLease(balanceOf(grantOf("a", 100n)), take()));
  const hour = hourOfLease(LEASE);
  const audited = made(auditLease(open, { lease: LEASE, spentPico: 30n, nowMs: NOW_MS }));

  const less = made(reauditHour(audited, { hour, spentPico: 10n, nowMs: NOW_MS }));
  const more = made(reauditHour(audited, { hour, spentPico: 35n, nowMs: NOW_MS }));

  expect([balancePico(less), less.spentPico, balancePico(more), more.spentPico]).toEqual([90n, 10n, 65n, 35n]);
  expect(reauditHour(less, { hour, spentPico: 10n, nowMs: NOW_MS })).toEqual({ result: undefined });
  expect(reauditHour({ ...audited, leases: open.leases }, { hour, spentPico: 70n, nowMs: NOW_MS })).toEqual({ result: undefined });
});

test("an exhausted grant is let go once nothing can be returned to it", () => {
  const open = made(takeLease(balanceOf(grantOf("a", 10n), grantOf("b", 90n)), take({ wantPico: 20n, leastPico: 20n })));
  expect(open.grants.map(({ id }) => id)).toEqual(["a", "b"]);

  const after = made(auditLease(open, { lease: LEASE, spentPico: 20n, nowMs: NOW_MS }));

  expect(after.grants.map(({ id }) => id)).toEqual(["b"]);
  expect(after.grants.length).toBeLessThan(GRANTS_MAX);
});
