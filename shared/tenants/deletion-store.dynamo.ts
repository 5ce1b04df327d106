import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { DELETION_GROUP, Deletion } from "./deletion.ts";

export function createDeletionStore(dynamo: Dynamo): RevisionLog<Deletion> {
  return createRevisionLog(dynamo, { name: "deletion", schema: Deletion, groupOf: () => DELETION_GROUP });
}
