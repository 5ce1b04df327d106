import type { Page, PageQuery } from "../base/page.ts";
import type { Dynamo } from "../dynamo/client.ts";
import { type Change, createRevisionLog, type Revision } from "../dynamo/revision-log.ts";
import { Version } from "./version.ts";

/** Versions of a model share a partition, so that numbering and "the same content is the same version" rest on consistent reads. */
export type VersionStore = {
  readonly current: (model: string, number: number) => Promise<Revision<Version> | undefined>;
  /** Fails with `conflict` if revision `after + 1` of that number exists. */
  readonly append: (version: Version, after: number, change: Change) => Promise<Revision<Version>>;
  /** Highest number first. */
  readonly list: (model: string, page: PageQuery) => Promise<Page<Revision<Version>>>;
};

const idOf = (model: string, number: number) => `${model}@${number}`;
const partitionOf = (model: string) => `version#${model}`;

export function createVersionStore(dynamo: Dynamo): VersionStore {
  const log = createRevisionLog<Version>(dynamo, { name: "version", schema: Version, addressOf });
  return {
    current: (model, number) => log.current(idOf(model, number)),
    append: (body, after, change) => log.append(idOf(body.model, body.number), after, { body, change }),
    list: (model, page) => log.listPartition(partitionOf(model), page),
  };
}

function addressOf(id: string) {
  const at = id.lastIndexOf("@");
  return { pk: partitionOf(id.slice(0, at)), skPrefix: `${id.slice(at + 1).padStart(9, "0")}#` };
}
