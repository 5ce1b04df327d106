import { unlessConflict } from "../base/failure.ts";
import type { Change, RevisionLog } from "../dynamo/revision-log.ts";
import { reshare, SLOT_COUNT, type Split } from "./split.ts";

type FirstSplit = { readonly splits: RevisionLog<Split>; readonly change: Change };

/** Gives a model's first version that can answer all of its traffic. A model that has a split keeps it: from then on only people change it. */
export async function ensureFirstSplit({ splits, change }: FirstSplit, model: string, version: number): Promise<void> {
  if ((await splits.current(model)) !== undefined) return;
  const body = reshare(model, undefined, [{ version, shareBps: SLOT_COUNT }]);
  // Somebody else may have put the first split in the meantime, which is as good.
  await unlessConflict(splits.append(model, 0, { body, change }));
}
