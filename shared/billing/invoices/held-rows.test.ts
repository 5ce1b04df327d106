import { expect, test } from "vitest";
import { listed, rowAt } from "../../../test/harness/sealing.ts";
import { MINUTE_MS } from "../../usage/period.ts";
import { minuteOf, type UsageRow } from "../../usage/row.ts";
import type { TenantBucket } from "../../usage/seals/seal.ts";
import { startSeal } from "../../usage/seals/seal-builder.ts";
import { walkRows } from "./held-rows.ts";

const FROM = Date.UTC(2026, 10, 3);
const MINUTES = 50;
const ROWS_EACH = 40;
const document = { month: "2026-11", buyer: { tenant: "acme", name: "Acme" } };

/** So many rows of a minute, in the order of their ids. */
function rowsOf(minute: number): UsageRow[] {
  const rows = Array.from({ length: ROWS_EACH }, (_, place) => rowAt(FROM + minute * MINUTE_MS + place * 1_000));
  return rows.sort((a, b) => (a.requestId < b.requestId ? -1 : 1));
}

function sealOf(minute: number, rows: readonly UsageRow[]): TenantBucket {
  const seal = startSeal();
  for (const row of rows) seal.add(row);
  const [tenant] = seal.finish().tenants;
  if (tenant === undefined) throw new Error("a minute without rows has no seal");
  return { minute: minuteOf(FROM + minute * MINUTE_MS), shard: 0, revision: 1, tenant };
}

test("rows and seals are taken one at a time, and what is left is let go where the walk ends", async () => {
  const months = Array.from({ length: MINUTES }, (_, minute) => rowsOf(minute));
  let [given, taken, mostHeld, isClosed] = [0, 0, 0, false];
  async function* rows() {
    try {
      for (const row of months.flat()) {
        given += 1;
        mostHeld = Math.max(mostHeld, given - taken);
        yield row;
      }
    } finally {
      isClosed = true;
    }
  }
  async function* seals() {
    for (const [minute, each] of months.entries()) {
      expect(given).toBe(minute * ROWS_EACH); // no seal is read before its rows' turn
      yield sealOf(minute, each);
    }
  }

  const walk = walkRows({ document, seals: seals(), rows: rows() }, (what) => expect(what).toBeUndefined());
  for await (const _ of walk.rows) taken += 1;

  expect([taken, mostHeld, isClosed, walk.bucketCount()]).toEqual([MINUTES * ROWS_EACH, 1, true, MINUTES]);
  expect(walk.found()).toMatchObject({ buckets: MINUTES, rows: MINUTES * ROWS_EACH, revised: 0 });
});

test("of a bucket whose rows differ it is said, and the walk goes on; where rows are lacking it ends and finds nothing", async () => {
  const [first, second] = [rowsOf(0), rowsOf(1)];
  const seals = [sealOf(0, first), sealOf(1, second)];
  const walkOver = async (rows: readonly UsageRow[]) => {
    const told: string[] = [];
    const from = async function* <T>(each: readonly T[]) {
      yield* each;
    };
    const walk = walkRows({ document, seals: from(seals), rows: from(rows) }, (what) => void told.push(what));
    return { rows: (await listed(walk.rows)).length, told, found: walk.found() };
  };
  const edited = first.map((row, place) => (place === 5 ? { ...row, inputTokens: 8 } : row));

  const changed = await walkOver([...edited, ...second]);
  const lacking = await walkOver([...first.slice(1), ...second]);

  expect(changed).toMatchObject({ rows: 2 * ROWS_EACH, told: [expect.stringContaining("not those that were sealed")] });
  expect(changed.found?.rows).toBe(2 * ROWS_EACH);
  expect(lacking).toMatchObject({ rows: ROWS_EACH - 1, told: [expect.stringContaining("rows are missing")], found: undefined });
});
