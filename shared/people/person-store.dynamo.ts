import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { PEOPLE_GROUP, Person } from "./person.ts";

export function createPersonStore(dynamo: Dynamo): RevisionLog<Person> {
  return createRevisionLog(dynamo, { name: "person", schema: Person, groupOf: () => PEOPLE_GROUP });
}
