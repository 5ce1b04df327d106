import type { Command } from "commander";
import { type Share, Shares, type SplitRevision } from "../../shared/routing/split.ts";
import type { CliContext } from "./context.ts";
import { IF_REVISION, type IfRevision } from "./if-revision.ts";
import { table } from "./output.ts";
import { parseShare, percentOf } from "./share.ts";
import { UsageError } from "./usage-error.ts";

export function registerSplitCommands(program: Command, context: CliContext) {
  const split = program.command("split").description("which version gets which share of a model's traffic");
  split
    .command("show <model>")
    .description("show a model's split")
    .action(async (model: string) => {
      context.output.print(await context.admin().splits.show(model), render);
    });
  split
    .command("set <model> <share...>")
    .description("set the shares of versions, such as 1=90% 2=10%; in force everywhere within 5 s")
    .option(...IF_REVISION)
    .option("--why <reason>", "kept in the history")
    .action(async (model: string, words: readonly string[], { ifRevision, ...options }: IfRevision & { why?: string }) => {
      const shares = checkedShares(words);
      context.output.print(await context.admin().splits.set(model, { shares, ...options }, ifRevision), render);
    });
}

function checkedShares(words: readonly string[]): Share[] {
  const shares = Shares.safeParse(words.map(parseShare));
  if (!shares.success) throw new UsageError(shares.error.issues[0]?.message ?? "the shares are not right");
  return shares.data;
}

function render(split: SplitRevision): string {
  const { number, by, at, why } = split.revision;
  const rows = split.shares.map(({ version, shareBps, arm }) => [`${split.model}@${version}`, percentOf(shareBps), arm]);
  return `${table(["VERSION", "SHARE", "ARM"], rows)}\n\nrevision ${number} by ${by} at ${at}${why === "" ? "" : `: ${why}`}`;
}
