import { eachItem } from "../../shared/base/page.ts";
import { isErasing, PEOPLE_GROUP } from "../../shared/people/person.ts";
import { isolated, type Trouble } from "../../shared/schedule/isolated.ts";
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

/** Whether more can be done now. One's trouble must not keep the others from being forgotten, nor the canary silent. */
async function erased({ log }: ErasingDeps, of: Trouble["of"], erase: () => Promise<{ hasMore: boolean }>): Promise<boolean> {
  const end = await isolated(log, { message: "an erasure could not go on", of }, erase);
  return end?.hasMore ?? false;
}
