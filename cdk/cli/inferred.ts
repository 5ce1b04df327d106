import * as z from "zod";
import type { OipTensor } from "../../shared/clients/oip-tensors.ts";
import { printableText, table } from "./output.ts";

const VECTOR_ELEMENTS_SHOWN = 8;

/** An answer's tensors by name, as `--json` prints them; integers of 64 bits as texts. */
export type Outputs = Readonly<Record<string, readonly (string | number | boolean)[]>>;

export type Inferred = {
  readonly task: string;
  readonly model: string;
  readonly arm: string;
  readonly tier: string;
  readonly degraded?: string;
  readonly outputs: Outputs;
};

/** What the answer itself does not repeat. */
type Known = { readonly labels: readonly string[]; readonly documents: readonly string[] };

export function dataIn(tensors: readonly OipTensor[]): Outputs {
  return Object.fromEntries(
    tensors.map(({ name, data }) => [name, Array.from<unknown, string | number | boolean>(data, (each) => plain(each))]),
  );
}

export function renderInferred(inferred: Inferred, known: Known): string {
  const { model, arm, tier, degraded } = inferred;
  const why = degraded === undefined ? "" : `, degraded: ${degraded}`;
  return `${renderOutputs(inferred, known)}\n\nserved by ${model}, arm ${arm}, tier ${tier}${why}`;
}

function renderOutputs({ task, outputs }: Inferred, { labels, documents }: Known): string {
  switch (task) {
    case "embed":
      return renderVector(outputs["embedding"] ?? []);
    case "classify":
      return ranking("LABEL", labels, outputs["scores"] ?? []);
    case "zero-shot":
      return ranking("LABEL", outputs["labels"] ?? [], outputs["scores"] ?? []);
    case "rerank":
      return ranking("DOCUMENT", documents, outputs["scores"] ?? []);
    case "answer":
      return rows((outputs["answers"] ?? []).flatMap(itemsIn));
    case "summarize":
      return printableText(String(outputs["summary"]?.[0] ?? ""));
    default:
      return rows(Object.values(outputs).flat().flatMap(itemsIn));
  }
}

function renderVector(vector: Outputs[string]): string {
  const shown = vector.slice(0, VECTOR_ELEMENTS_SHOWN).map((element) => Number(element).toFixed(4));
  return `${vector.length} dimensions: ${shown.join(" ")}${vector.length > shown.length ? " … (--json shows all)" : ""}`;
}

function ranking(head: string, names: Outputs[string], scores: Outputs[string]): string {
  const ranked = scores.map((score, index) => ({ name: String(names[index] ?? index), score: Number(score) }));
  return table(
    [head, "SCORE"],
    ranked.toSorted((a, b) => b.score - a.score).map(({ name, score }) => [name, score.toFixed(4)]),
  );
}

const Item = z.record(z.string(), z.union([z.string(), z.number()]));
type Item = z.infer<typeof Item>;
/** A row of JSON: a list of found things, or for each mask such a list. */
const Row = z.union([z.array(Item), z.array(z.array(Item)).transform((lists) => lists.flat())]);

function itemsIn(json: string | number | boolean): Item[] {
  return Row.parse(JSON.parse(String(json)));
}

function rows(items: readonly Item[]): string {
  const [first] = items;
  if (first === undefined) return "nothing was found";
  const names = Object.keys(first);
  return table(
    names.map((name) => name.toUpperCase()),
    items.map((item) => names.map((name) => shown(item[name]))),
  );
}

const shown = (value: string | number | undefined) =>
  typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value ?? "");

function plain(value: unknown): string | number | boolean {
  return typeof value === "number" || typeof value === "boolean" ? value : String(value);
}
