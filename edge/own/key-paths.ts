import type { Scope } from "../../shared/keys/key.ts";
import { CreatedKey, KeyRevision, KeyRotation } from "../../shared/keys/key-requests.ts";
import type { PathDescription } from "../openapi.ts";

/** Below which path, and by which right. */
type Door = { readonly root: string; readonly scope: Scope };

/** What may be done to one key is described alike on both ways to it: operators' to everybody's, and tenants' to their own. */
export function showPath({ root, scope }: Door, summary: string): PathDescription {
  const answer = { status: 200, summary: "The key", schema: KeyRevision };
  return { method: "get", path: `${root}/{id}`, summary, scope, answer, refusals: ["not_found"] };
}

export function rotatePath({ root, scope }: Door, summary: string): PathDescription {
  const answer = { status: 200, summary: "The key, with its new text", schema: CreatedKey };
  const body = { body: KeyRotation, isBodyOptional: true };
  return { method: "post", path: `${root}/{id}/rotate`, summary, scope, ...body, answer, refusals: ["not_found", "conflict"] };
}

export function revokePath({ root, scope }: Door, summary: string): PathDescription {
  const headers = [{ name: "Weir-Reason", summary: "Why; kept in the history" }];
  const answer = { status: 200, summary: "The revoked key", schema: KeyRevision };
  return { method: "delete", path: `${root}/{id}`, summary, scope, headers, answer, refusals: ["not_found", "conflict"] };
}
