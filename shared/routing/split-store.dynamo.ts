import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { Split } from "./split.ts";

/** One log per model: the split is the only truth about traffic. */
export function createSplitStore(dynamo: Dynamo): RevisionLog<Split> {
  return createRevisionLog(dynamo, { name: "split", schema: Split });
}
