import * as z from "zod";
import type { Head, VersionFacts } from "./version.ts";

/** What a caller can ask of a version. */
export const Task = z.enum([
  "embed",
  "classify",
  "tag",
  "answer",
  "fill",
  "zero-shot",
  "rerank",
  "detect",
  "keywords",
  "summarize",
  "generate",
  "forward",
]);
export type Task = z.infer<typeof Task>;

const OF_HEAD: Readonly<Record<Head, readonly Task[]>> = {
  embed: ["embed", "zero-shot", "rerank", "keywords", "summarize"],
  classify: ["classify"],
  tag: ["tag"],
  answer: ["answer"],
  fill: ["fill"],
  detect: ["detect"],
  generate: ["generate"],
};

/** The tasks that a version does, its own first: one head serves several where its numbers allow it. */
export function tasksOf({ head, labels }: Pick<VersionFacts, "head" | "labels">): readonly Task[] {
  const more: Task[] = [];
  if (head === "classify" && labels !== undefined && entailmentOf(labels) !== undefined) more.push("zero-shot");
  if (head === "classify" && labels?.length === 1) more.push("rerank");
  // A decoder's cache is no business of callers, so its bare graph is not offered.
  if (head !== "generate") more.push("forward");
  return [...OF_HEAD[head], ...more];
}

/** The label of an NLI head that says "follows from": transformers takes the first whose lower-case form begins with `entail`. */
export function entailmentOf(labels: readonly string[]): number | undefined {
  const index = labels.findIndex((label) => label.toLowerCase().startsWith("entail"));
  return index < 0 ? undefined : index;
}
