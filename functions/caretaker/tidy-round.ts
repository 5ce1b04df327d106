import type { Eraser, MortalTable } from "../../shared/dynamo/eraser.ts";
import { TABLES, type TableShape } from "../../shared/dynamo/tables.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { ANSWERS_KEPT_DAYS } from "../../shared/tenants/places.ts";

const TIDY_EVERY_MS = 10 * 60_000;
/** Of each table, and of the bodies, in one round. */
const LOOKED_AT_MAX = 2_000;
const DAY_MS = 86_400_000;

export type TidyDeps = {
  readonly eraser: Pick<Eraser, "sweepExpired">;
  readonly bodies: {
    readonly removeBefore: (
      atMs: number,
      walk: { readonly objectsMax: number; readonly cursor?: string | undefined },
    ) => Promise<{ readonly removed: number; readonly cursor: string | undefined }>;
  };
};

/**
 * Deletes what has expired, where the store does not by itself: the one machine's has no time to live and no lifecycles. A round looks at a bounded part
 * and the next one goes on from there, in a circle; where a process begins anew, so does the circle. Nothing relies on it.
 */
export function createTidyRound({ eraser, bodies }: TidyDeps): Round {
  const cursors = new Map<string, string | undefined>();
  let tidiedAtMs = Number.NEGATIVE_INFINITY;
  return async ({ nowMs, signal }) => {
    if (nowMs - tidiedAtMs < TIDY_EVERY_MS) return { hasMore: false };
    tidiedAtMs = nowMs;
    for (const table of TABLES.filter(isMortal)) {
      if (signal.aborted) return { hasMore: false };
      const swept = await eraser.sweepExpired(table, nowMs, { itemsMax: LOOKED_AT_MAX, cursor: cursors.get(table.name) });
      cursors.set(table.name, swept.cursor);
    }
    const { cursor } = await bodies.removeBefore(nowMs - ANSWERS_KEPT_DAYS * DAY_MS, {
      objectsMax: LOOKED_AT_MAX / 2,
      cursor: cursors.get(""),
    });
    cursors.set("", cursor);
    return { hasMore: false };
  };
}

function isMortal(table: TableShape): table is MortalTable {
  return table.timeToLive !== undefined;
}
