import { unlessConflict } from "../../shared/base/failure.ts";
import { eachItem } from "../../shared/base/page.ts";
import type { Change, Revision } from "../../shared/dynamo/revision-log.ts";
import { CONTROL, LIMITS } from "../../shared/dynamo/tables.ts";
import { type Key, keyGroupOf } from "../../shared/keys/key.ts";
import { keyUsesKey } from "../../shared/keys/key-uses.ts";
import { counterKeysOf, counterOwner } from "../../shared/limits/counter-keys.ts";
import type { Person } from "../../shared/people/person.ts";
import { scrubPerson } from "../../shared/tenants/scrub.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { type ErasingDeps, WRITES_MAX } from "./erase-deps.ts";
import { keyLog, personLog } from "./erase-logs.ts";
import { revoke } from "./erase-steps.ts";

/**
 * Erases who a person is: the name in every revision, and what their keys tell of them. Who, when and why stay in every log, by the person's id. It ends
 * with a second look that finds nothing; whatever was erased before a kill is passed over.
 */
export async function erasePerson(deps: ErasingDeps, { body, revision }: Revision<Person>, nowMs: number): Promise<{ hasMore: boolean }> {
  const change: Change = { by: "caretaker", why: "erasure of the person", atMs: nowMs };
  const { eraser, people } = deps;
  let erased = 0;
  for await (const key of keysOf(deps, body.id)) {
    await revoke(deps.keys, key, change);
    erased += await eraseKey(deps, key.body.id, nowMs);
    if (erased >= WRITES_MAX) return { hasMore: true };
  }
  const own = await eraser.scrub(personLog(body.id), WRITES_MAX);
  if (!own.isDone || (await remainingOf(deps, body.id)) > 0) return { hasMore: true };
  const finishedAt = new Date(nowMs).toISOString();
  const erasure = { requestedAt: finishedAt, ...body.erasure, finishedAt };
  await unlessConflict(people.append(body.id, revision, { body: { ...scrubPerson(body), erasure }, change })); // another round may have written down the same
  return { hasMore: false };
}

async function eraseKey({ eraser }: ErasingDeps, id: string, nowMs: number): Promise<number> {
  const { erased } = await eraser.scrub(keyLog(id), WRITES_MAX);
  await eraser.deleteItems(CONTROL, [{ pk: keyUsesKey(OPERATORS), sk: id }]);
  await eraser.deleteItems(
    LIMITS,
    counterKeysOf(counterOwner.key(id), nowMs).map((pk) => ({ pk })),
  );
  return erased;
}

async function remainingOf(deps: ErasingDeps, id: string): Promise<number> {
  let remaining = await deps.eraser.unscrubbed(personLog(id));
  for await (const { body } of keysOf(deps, id)) remaining += (await deps.eraser.unscrubbed(keyLog(body.id))) + (body.isRevoked ? 0 : 1);
  return remaining;
}

async function* keysOf({ keys }: ErasingDeps, person: string): AsyncGenerator<Revision<Key>> {
  for await (const key of eachItem((page) => keys.list(keyGroupOf(OPERATORS), page))) if (key.body.person === person) yield key;
}
