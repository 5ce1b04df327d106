import { Failure } from "../../shared/base/failure.ts";
import type { RevisionStamp } from "../../shared/base/revision.ts";
import type { Change, Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { EdgeContext } from "../env.ts";

/** What is put after what was read; `current` is undefined for a thing's first revision. */
export type Next<T> = { readonly id: string; readonly current: Revision<T> | undefined; readonly body: T; readonly change: Change };

/** Answers one thing, with its revision as its `ETag` (RFC 9110, 8.8.3): what `If-Match` of a change names that rests on what was read. */
export function answerRevision<T extends { readonly revision: RevisionStamp }>(c: EdgeContext, shown: T, status: 200 | 201 = 200) {
  c.header("ETag", `"${shown.revision.number}"`);
  return c.json(shown, status);
}

/**
 * Puts the next revision. Two people who each change what both have read would else undo each other's words and never know,
 * so whoever says in `If-Match` which revision they read is refused when it is not the last any more: `precondition_failed`.
 */
export async function appendNext<T>(c: EdgeContext, log: RevisionLog<T>, { id, current, body, change }: Next<T>): Promise<Revision<T>> {
  const header = c.req.header("if-match");
  if (header !== undefined) assertNames(header, current);
  try {
    return await log.append(id, current?.revision ?? 0, { body, change });
  } catch (cause) {
    // Somebody wrote between our read and our write: to whoever sent the header that is no other case.
    const isBeaten = header !== undefined && cause instanceof Failure && cause.code === "conflict";
    throw isBeaten ? new Failure("precondition_failed", cause.message, { field: FIELD, cause }) : cause;
  }
}

const FIELD = "If-Match";
/** A tag of ours, or of a proxy which made it weak when it compressed the answer: the revision is the same. */
const TAG = '(?:W/)?"([0-9]{1,9})"';
const TAGS = new RegExp(`^\\s*${TAG}(?:\\s*,\\s*${TAG})*\\s*$`);

function assertNames(header: string, current: Revision<unknown> | undefined) {
  const isAny = header.trim() === "*";
  if (!isAny && !TAGS.test(header)) {
    throw new Failure("invalid_request", `${FIELD}: must be the revision that was read, in quotes, such as "7"`, { field: FIELD });
  }
  const named = [...header.matchAll(new RegExp(TAG, "g"))].map(([, number]) => Number(number));
  if (current !== undefined && (isAny || named.includes(current.revision))) return;
  const now = current === undefined ? "there is none" : `this is revision ${current.revision}, by ${whoOf(current)} at ${current.at}`;
  const message = `Somebody else was faster: ${now}, and ${FIELD} says ${header.trim()}. Nothing was changed; read it and try again.`;
  throw new Failure("precondition_failed", message, { field: FIELD });
}

function whoOf({ by, person }: Revision<unknown>): string {
  return person === undefined ? by : `${person} (key ${by})`;
}

/** What the paths say of it. */
export const IF_MATCH = {
  name: FIELD,
  summary: 'The `ETag` (the revision\'s number in quotes, such as `"7"`) of what was read before; if that is not the last any more, 412',
};
export const ETAG = { name: "ETag", summary: 'The revision\'s number in quotes, such as `"7"`, for `If-Match`' };
