import type { Dynamo } from "../../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../../dynamo/revision-log.ts";
import { Credit, creditGroupOf } from "./credit.ts";

export function createCreditStore(dynamo: Dynamo): RevisionLog<Credit> {
  return createRevisionLog(dynamo, { name: "credit", schema: Credit, groupOf: (credit) => creditGroupOf(credit.tenant) });
}
