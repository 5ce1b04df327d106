import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { Key, keyGroupOf } from "./key.ts";

export function createKeyStore(dynamo: Dynamo): RevisionLog<Key> {
  return createRevisionLog(dynamo, { name: "key", schema: Key, groupOf: (key) => keyGroupOf(key.tenant) });
}
