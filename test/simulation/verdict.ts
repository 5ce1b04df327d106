import { CHECKPOINT_TOKENS } from "../../edge/serve/coverage.ts";
import { acceptedAtMsOf } from "../../shared/base/id.ts";
import { DAY_MS, HOUR_MS } from "../../shared/usage/period.ts";
import type { SealedSum } from "../../shared/usage/seals/seal.ts";
import type { Total } from "../../shared/usage/seals/sealed.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import type { Bucket } from "./billing.ts";
import { type Attempt, fingerprintOf } from "./caller.ts";
import type { Done } from "./deeds.ts";
import { EVENT_TOKENS_MAX } from "./engine.ts";
import type { Given } from "./gifts.ts";
import { addressOf, billedRows, monthOf, number, tenantOf, text } from "./ledger-items.ts";
import { MONTH } from "./months.ts";
import type { Plan } from "./plan.ts";
import { wrongBalances } from "./verdict-balances.ts";
import { wrongCorrections } from "./verdict-corrections.ts";
import { wrongInvoices } from "./verdict-invoices.ts";
import { wrongRetries } from "./verdict-retries.ts";
import { wrongSeals } from "./verdict-seals.ts";

export type Evidence = {
  readonly attempts: readonly Attempt[];
  readonly gifts: readonly Given[];
  readonly deeds: readonly Done[];
  readonly store: FakeDynamo;
  readonly totals: readonly Total[];
  /** Documents of invoices. */
  readonly bucket: Bucket;
  readonly plan: Plan;
};

/** Two pieces at most are on their way to a caller who does not take them any more: one that waits, and one that is being fetched. */
const ON_THEIR_WAY = 2 * EVENT_TOKENS_MAX;

/** Every promise that a history has broken, in words; none, if all were kept. */
export function violationsOf(evidence: Evidence): string[] {
  const { attempts, store, totals } = evidence;
  const rows = billedRows(store);
  const byRequest = Map.groupBy(rows, (row) => text(row, "h"));
  const expired = expiredRows(store);
  return [
    ...attempts
      .filter(({ order }) => order.idempotencyKey === undefined)
      .flatMap((attempt) => wrongBillsOf(attempt, { rows: byRequest.get(fingerprintOf(attempt.order)) ?? [], expired })),
    ...wrongRetries(attempts, byRequest),
    ...stuckRows(store),
    ...editedRows(store),
    ...uncoveredRows(store),
    ...wrongSeals(store),
    ...earlyForgotten(store),
    ...wrongTotals(rows, totals),
    ...wrongBalances({ ...evidence, rows }),
    ...wrongInvoices({ ...evidence, rows, month: MONTH }),
    ...wrongCorrections(store, evidence.deeds),
  ];
}

/** Addresses of rows that the sealer has settled, since nobody came back to them. */
function expiredRows({ journal }: FakeDynamo): ReadonlySet<string> {
  const isExpiry = ({ table, before = {}, after = {} }: FakeDynamo["journal"][number]) =>
    table === "ledger" && text(before, "st") === "P" && number(after, "e") > number(before, "e");
  return new Set(journal.filter(isExpiry).map(({ after }) => addressOf(after ?? {})));
}

type Bills = { readonly rows: readonly Item[]; readonly expired: ReadonlySet<string> };

function wrongBillsOf(attempt: Attempt, { rows, expired }: Bills): string[] {
  const { order, ending, status, hasGatewayDied, tokens } = attempt;
  const what = `${order.isStream ? "stream" : "request"} ${order.body} (${ending})`;
  const [row] = rows;
  if (rows.length > 1) return [`${what} has ${rows.length} billing rows`];
  if (ending === "answered" && row === undefined) return [`${what} has no billing row`];
  // What a gateway refuses and then cannot void since it dies is in flight with it.
  if (ending === "refused" && row !== undefined && !hasGatewayDied) return [`${what} was refused with ${status} and is billed`];
  if (!order.isStream) return [];
  const tooMuch = Number(row === undefined ? 0 : number(row, "to")) - tokens;
  // Exact unless the row had to expire, be it that its gateway died or that it could not write: then it is billed as far as it was covered.
  const isExpired = row !== undefined && expired.has(addressOf(row));
  const most = ending === "answered" ? 0 : (isExpired ? CHECKPOINT_TOKENS : 0) + ON_THEIR_WAY;
  return tooMuch < 0 || tooMuch > most ? [`${what} delivered ${tokens} tokens and is billed ${tooMuch} more, where ${most} may be`] : [];
}

function stuckRows(store: FakeDynamo): string[] {
  const pending = store.items("ledger").filter((item) => text(item, "st") === "P");
  return pending.map((item) => `the row ${addressOf(item)} is pending for ever`);
}

/** A settled row is final: nothing may write over it but the very same put. */
function editedRows({ journal }: FakeDynamo): string[] {
  return journal
    .filter(({ table, before }) => table === "ledger" && before !== undefined && text(before, "st") === "S")
    .map(({ step, before }) => `the settled row ${addressOf(before ?? {})} was changed by ${step}`);
}

/** What a pending row covers may have been delivered: it never becomes less. */
function uncoveredRows({ journal }: FakeDynamo): string[] {
  const isPending = (item: Item | undefined): item is Item => item !== undefined && text(item, "st") === "P";
  return journal
    .filter(
      ({ table, before, after }) =>
        table === "ledger" && isPending(before) && isPending(after) && number(after, "pg") < number(before, "pg"),
    )
    .map(({ step, before }) => `the row ${addressOf(before ?? {})} covers less after ${step}`);
}

/** An answer is kept for a day after the hour of the request that it answers. */
function earlyForgotten({ journal }: FakeDynamo): string[] {
  return journal.flatMap(({ table, atMs, before, after }) => {
    if (table !== "idempotency" || before?.["hd"] === undefined || after === undefined || after["hd"] !== undefined) return [];
    const acceptedAtMs = acceptedAtMsOf(text(before, "ri"));
    const isMoved = text(before, "ri") !== text(after, "ri"); // another request answers by now
    return isMoved || atMs >= acceptedAtMs - (acceptedAtMs % HOUR_MS) + HOUR_MS + DAY_MS
      ? []
      : [`the answer of ${text(before, "ri")} was forgotten early`];
  });
}

const SUMS = { requests: undefined, inputs: "q", inputTokens: "ti", outputTokens: "to", computeMs: "ms" } as const satisfies Partial<
  Record<keyof SealedSum, string | undefined>
>;

/** A tenant's month is the sum of its rows. */
function wrongTotals(rows: readonly Item[], totals: readonly Total[]): string[] {
  const rowsOf = Map.groupBy(rows, (row) => `${tenantOf(row)} ${monthOf(row)}`);
  const totalOf = new Map(totals.map((total) => [`${total.tenant} ${total.period.name}`, total]));
  return [...new Set([...rowsOf.keys(), ...totalOf.keys()])].flatMap((month) =>
    Object.entries(SUMS).flatMap(([field, name]) => {
      const ofRows = (rowsOf.get(month) ?? []).reduce((sum, row) => sum + (name === undefined ? 1 : number(row, name)), 0);
      const ofTotal = (totalOf.get(month)?.sums ?? []).reduce((sum, each) => sum + each[field as keyof typeof SUMS], 0); // SUMS has these keys
      return ofRows === ofTotal ? [] : [`the rows' ${field} of ${month} are ${ofRows}, their total says ${ofTotal}`];
    }),
  );
}
