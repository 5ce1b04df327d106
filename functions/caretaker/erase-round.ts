import { eachItem } from "../../shared/base/page.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { DELETION_GROUP } from "../../shared/tenants/deletion.ts";
import type { ErasingDeps } from "./erase-deps.ts";
import { eraseTenant, isDue } from "./erase-tenant.ts";

/** One round: takes every deletion that is not over as far as it goes now. */
export function createErasingRound(deps: ErasingDeps): Round {
  return async ({ nowMs, signal }) => {
    let hasMore = false;
    for await (const deletion of eachItem((page) => deps.deletions.list(DELETION_GROUP, page))) {
      if (signal.aborted) return { hasMore: true };
      if (!isDue(deletion.body, nowMs)) continue;
      hasMore = (await eraseTenant(deps, deletion, nowMs)).hasMore || hasMore;
    }
    return { hasMore };
  };
}
