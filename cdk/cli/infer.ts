import { type Command, InvalidArgumentError } from "commander";
import * as z from "zod";
import { type OipTensor, texts } from "../../shared/clients/oip-tensors.ts";
import type { CliContext } from "./context.ts";
import { dataIn, renderInferred } from "./inferred.ts";
import { UsageError } from "./usage-error.ts";

type Options = {
  readonly task?: string;
  readonly pair?: string;
  readonly context?: string;
  readonly documents?: string[];
  readonly labels?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly raw?: true;
  readonly unit?: string;
};

/** What a model's metadata says that decides how it is asked. */
const Properties = z.object({
  tasks: z
    .string()
    .transform((json) => JSON.parse(json) as unknown) // its schema follows
    .pipe(z.record(z.string(), z.unknown())),
  labels: z
    .string()
    .transform((json) => JSON.parse(json) as unknown) // its schema follows
    .pipe(z.array(z.string()))
    .optional(),
  chats: z.string().optional(),
});

export function registerInferCommand(program: Command, context: CliContext) {
  program
    .command("infer <model> <text>")
    .description("ask a model, such as minilm or minilm@2; its own task decides what comes back, unless an option names another one")
    .option("--task <task>", "another of the model's tasks, such as keywords or summarize")
    .option("--pair <text>", "the second text of a pair")
    .option("--context <text>", "the text that holds the answer to a question")
    .option("--labels <labels>", "which of these labels fits, such as film,travel")
    .option("--documents <text...>", "which of these answers best")
    .option("--max-tokens <count>", "new tokens of a generated text (default: 256)", count)
    .option("--temperature <number>", "how freely a text is drawn, up to 2; at 0 each token is the likeliest one (default: 0)", temperature)
    .option("--raw", "continue the text itself, rather than answer it as in a conversation")
    .option("--unit <unit>", "what sticks to an arm of the split (default: the key)")
    .action(async (model: string, text: string, options: Options) => {
      const { properties } = await context.oip().metadata({ model });
      const known = Properties.parse(properties);
      const task = taskOf(options) ?? Object.keys(known.tasks)[0] ?? "";
      if (task === "generate") await generate(context, { model, text, options, chats: known.chats === "true" });
      else await infer(context, { model, text, options, task, labels: known.labels });
    });
}

/** The task that the options mean, if they mean one. */
function taskOf({ task, labels, context, documents }: Options): string | undefined {
  const meant = [labels && "zero-shot", context && "answer", documents && "rerank"].filter((each) => each !== undefined && each !== "");
  if (meant.length > 1) throw new UsageError("--labels, --context and --documents each ask for another task: give one of them");
  return task ?? meant[0];
}

type Asked = { readonly model: string; readonly text: string; readonly options: Options };

async function infer(
  { oip, output }: CliContext,
  asked: Asked & { readonly task: string; readonly labels: readonly string[] | undefined },
) {
  const { model, options, task, labels } = asked;
  const candidates = options.labels?.split(",").map((label) => label.trim());
  const inferred = await oip().infer({
    model,
    parameters: { task, ...(candidates === undefined ? {} : { candidate_labels: candidates }) },
    inputs: inputsOf(asked),
    ...(options.unit === undefined ? {} : { headers: { "weir-unit": options.unit } }),
  });
  const { version, served } = inferred;
  const value = { task, model: `${inferred.model}@${version}`, ...served, outputs: dataIn(inferred.outputs) };
  output.print(value, (said) => renderInferred(said, { labels: labels ?? [], documents: options.documents ?? [] }));
}

function inputsOf({ text, options, task }: Asked & { readonly task: string }): OipTensor[] {
  const { pair, context = "", documents = [] } = options;
  if (task === "answer") return [texts("question", [text]), texts("context", [context])];
  if (task === "rerank") return [texts("query", [text]), texts("documents", documents)];
  return [texts("text", [text]), ...(pair === undefined ? [] : [texts("text_pair", [pair])])];
}

const TOKENS_DEFAULT = 256;
const TEMPERATURE_MAX = 2;

/** Piece by piece, as it is written. */
async function generate({ oip, output }: CliContext, { model, text, options, chats }: Asked & { readonly chats: boolean }) {
  const { maxTokens = TOKENS_DEFAULT, temperature = 0, raw = false } = options;
  const parameters = { max_tokens: maxTokens, temperature, chat: chats && !raw };
  const headers = options.unit === undefined ? {} : { headers: { "weir-unit": options.unit } };
  let [whole, served] = ["", model];
  for await (const event of oip().generateStream({ model, text, parameters, ...headers })) {
    output.write(event.text_output);
    whole += event.text_output;
    served = `${event.model_name}@${event.model_version}`;
  }
  output.print({ task: "generate", model: served, text: whole }, () => `\n\nserved by ${served}`);
}

function count(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("it must be a whole number from 1 on.");
}

function temperature(text: string): number {
  if (/^\d(\.\d{1,6})?$/.test(text) && Number(text) <= TEMPERATURE_MAX) return Number(text);
  throw new InvalidArgumentError(`it must be a number from 0 to ${TEMPERATURE_MAX}.`);
}
