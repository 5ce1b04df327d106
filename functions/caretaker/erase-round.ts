import { eachItem } from "../../shared/base/page.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { DELETION_GROUP } from "../../shared/tenants/deletion.ts";
import { type ErasingDeps, eraseTenant } from "./erase-tenant.ts";

/** One round: takes every deletion that is not over as far as it goes now. */
export function createErasingRound(deps: ErasingDeps): Round {
  return async ({ nowMs, signal }) => {
    let hasMore = false;
    for await (const deletion of eachItem((page) => deps.deletions.list(DELETION_GROUP, page))) {
      if (signal.aborted) return { hasMore: true };
      if (deletion.body.state === "erased") continue;
      hasMore = (await eraseTenant(deps, deletion, nowMs)).hasMore || hasMore;
    }
    return { hasMore };
  };
}
