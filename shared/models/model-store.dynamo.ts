import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { MODEL_GROUP, Model } from "./version.ts";

export function createModelStore(dynamo: Dynamo): RevisionLog<Model> {
  return createRevisionLog(dynamo, { name: "model", schema: Model, groupOf: () => MODEL_GROUP });
}
