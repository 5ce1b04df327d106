import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import { type RevisionStamp, Why } from "../../shared/base/revision.ts";
import type { Change, Revision } from "../../shared/dynamo/revision-log.ts";
import type { EdgeContext } from "../env.ts";

/** Who changes something, when, and why: the body's `why`, or the header for requests that have no body. */
export function changeOf(c: EdgeContext, clock: Clock, why: string | undefined): Change {
  const { keyId, person } = c.get("principal");
  return { by: keyId, ...(person === undefined ? {} : { person }), why: why ?? reasonOf(c), atMs: clock.nowMs() };
}

/** A thing with the stamp of its last change, as every answer of the admin API shows it. */
export function stamped<T extends object>(body: T, changed: Revision<unknown>): T & { revision: RevisionStamp } {
  const { revision: number, by, person, why, at } = changed;
  return { ...body, revision: { number, by, ...(person === undefined ? {} : { person }), why, at } };
}

function reasonOf(c: EdgeContext): string {
  // Node reads headers as Latin-1; what clients and terminals send is UTF-8.
  const why = Why.safeParse(Buffer.from(c.req.header("weir-reason") ?? "", "latin1").toString("utf8"));
  if (why.success) return why.data;
  throw new Failure("invalid_request", `Weir-Reason: ${why.error.issues[0]?.message}`, { field: "Weir-Reason" });
}
