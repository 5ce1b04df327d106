import { InvalidArgumentError } from "commander";

/** For what is replaced as a whole: the revision that was read before, such as by `--json`; if somebody has changed it since, nothing is done. */
export const IF_REVISION = ["--if-revision <number>", "do it only if that is the last revision still", parseRevision] as const;

export type IfRevision = { readonly ifRevision?: number };

function parseRevision(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError("It must be a revision's number.");
  return Number(text);
}
