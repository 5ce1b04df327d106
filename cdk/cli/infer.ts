import type { Command } from "commander";
import type { Inferred } from "../../shared/clients/tenant.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

const VECTOR_ELEMENTS_SHOWN = 8;

export function registerInferCommand(program: Command, context: CliContext) {
  program
    .command("infer <model> <text>")
    .description("ask a model, such as minilm or minilm@2; its own task decides what comes back")
    .option("--pair <text>", "the second text of a pair")
    .option("--unit <unit>", "what sticks to an arm of the split (default: the key)")
    .action(async (model: string, text: string, options: { pair?: string; unit?: string }) => {
      const inferred = await context.tenant().infer({ model, text, textPair: options.pair, unit: options.unit });
      context.output.print(inferred, render);
    });
}

function render(inferred: Inferred): string {
  const { model, arm, tier, degraded } = inferred;
  const why = degraded === undefined ? "" : `, degraded: ${degraded}`;
  return `${renderOutput(inferred.output)}\n\nserved by ${model}, arm ${arm}, tier ${tier}${why}`;
}

function renderOutput(output: Inferred["output"]): string {
  switch (output.task) {
    case "embed": {
      const shown = output.vector.slice(0, VECTOR_ELEMENTS_SHOWN).map((element) => element.toFixed(4));
      return `${output.vector.length} dimensions: ${shown.join(" ")}${output.vector.length > shown.length ? " … (--json shows all)" : ""}`;
    }
    case "classify":
      return table(
        ["LABEL", "SCORE"],
        output.labels.map(({ label, score }) => [label, score.toFixed(4)]),
      );
  }
}
