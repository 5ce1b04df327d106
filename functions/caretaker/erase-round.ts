import { Failure } from "../../shared/base/failure.ts";
import { eachItem } from "../../shared/base/page.ts";
import { isErasing, PEOPLE_GROUP } from "../../shared/people/person.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { DELETION_GROUP } from "../../shared/tenants/deletion.ts";
import type { ErasingDeps } from "./erase-deps.ts";
import { erasePerson } from "./erase-person.ts";
import { eraseTenant, isDue } from "./erase-tenant.ts";

/** One round: takes every deletion and every person's erasure that is not over as far as it goes now. */
export function createErasingRound(deps: ErasingDeps): Round {
  return async ({ nowMs, signal }) => {
    let hasMore = false;
    for await (const deletion of eachItem((page) => deps.deletions.list(DELETION_GROUP, page))) {
      if (signal.aborted) return { hasMore: true };
      if (!isDue(deletion.body, nowMs)) continue;
      const { tenant } = deletion.body;
      hasMore = (await erased(deps, { tenant }, () => eraseTenant(deps, deletion, nowMs))) || hasMore;
    }
    for await (const person of eachItem((page) => deps.people.list(PEOPLE_GROUP, page))) {
      if (signal.aborted) return { hasMore: true };
      if (!isErasing(person.body)) continue;
      hasMore = (await erased(deps, { person: person.body.id }, () => erasePerson(deps, person, nowMs))) || hasMore;
    }
    return { hasMore };
  };
}

/** Whether more can be done now. One's trouble must not keep the others from being forgotten, nor the canary silent; when the store is away the round ends. */
async function erased({ log }: ErasingDeps, whose: object, erase: () => Promise<{ hasMore: boolean }>): Promise<boolean> {
  try {
    return (await erase()).hasMore;
  } catch (error) {
    if (error instanceof Failure && error.code === "unavailable") throw error;
    log("error", "an erasure could not go on", { ...whose, error });
    return false;
  }
}
