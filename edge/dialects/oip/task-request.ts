import type { Aggregation, ModelInput, Overlong, TaskRequest } from "../../../shared/inference/contract.ts";
import type { Task } from "../../../shared/models/tasks.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { refusal } from "../../../shared/oip/refusal.ts";
import { askTask, textInput } from "../../serve/ask.ts";
import { assertParameters, type Parameters } from "./parameters.ts";

/** Tasks that read texts and answer at once; `generate` has paths of its own, `forward` reads tensors. */
export type TextTask = Exclude<Task, "generate" | "forward">;

/** The texts of one input tensor, and where they stand in the request. */
export type TextColumn = { readonly texts: readonly string[]; readonly field: string };
export type TextColumns = ReadonlyMap<string, TextColumn>;

type TextForm = {
  /** BYTES tensors of shape [n] or [n,1], all of the same n. */
  readonly inputs: readonly string[];
  readonly optional?: readonly string[];
  readonly parameters: readonly string[];
  readonly build: (columns: Columns, parameters: Parameters, version: ReadyVersion) => TaskRequest;
};

/** Builds the task that the texts ask for. Refuses missing inputs, columns of different lengths, and parameters of other tasks. */
export function askTextTask(task: TextTask, asked: { columns: TextColumns; parameters: Parameters; version: ReadyVersion }): TaskRequest {
  const form = FORMS[task];
  assertParameters(asked.parameters, task, form.parameters);
  const missing = form.inputs.find((name) => !asked.columns.has(name));
  if (missing !== undefined) throw refusal("inputs", `the input '${missing}' is missing`);
  return form.build(columnsOf(asked.columns), asked.parameters, asked.version);
}

/** The names of the inputs that a task reads, the optional ones last. */
export function textInputsOf(task: TextTask): { readonly required: readonly string[]; readonly optional: readonly string[] } {
  return { required: FORMS[task].inputs, optional: FORMS[task].optional ?? [] };
}

type Columns = {
  /** Checked texts of a column. */
  readonly texts: (name: string) => readonly string[];
  /** Rows of one or two columns as a model reads them. */
  readonly inputs: (first: string, second?: string) => readonly ModelInput[];
};

const FORMS: Readonly<Record<TextTask, TextForm>> = {
  embed: {
    inputs: ["text"],
    parameters: ["normalize", "dimensions", "truncate"],
    build: ({ inputs }, { normalize, dimensions, ...parameters }, version) =>
      askTask(version, { inputs: inputs("text"), overlong: overlongOf(parameters), normalize, dimensions }),
  },
  classify: {
    inputs: ["text"],
    optional: ["text_pair"],
    parameters: ["function_to_apply", "truncate"],
    build: ({ inputs }, parameters, version) =>
      askTask(version, { inputs: inputs("text", "text_pair"), overlong: overlongOf(parameters), function: parameters.function_to_apply }),
  },
  tag: {
    inputs: ["text"],
    parameters: ["aggregation_strategy", "ignore_labels", "stride"],
    build: ({ texts }, { aggregation_strategy = "simple" satisfies Aggregation, ignore_labels, stride }) => ({
      ...{ task: "tag", texts: texts("text"), aggregation: aggregation_strategy },
      ...given({ ignoreLabels: ignore_labels, stride }),
    }),
  },
  answer: {
    inputs: ["question", "context"],
    parameters: [
      ...["top_k", "doc_stride", "max_seq_len", "max_question_len", "max_answer_len"],
      ...["handle_impossible_answer", "align_to_words"],
    ],
    build: ({ texts }, parameters) => {
      const contexts = texts("context");
      return {
        task: "answer",
        questions: texts("question").map((question, row) => ({ question, context: contexts[row] ?? "" })),
        ...given({ topK: parameters.top_k, docStride: parameters.doc_stride, tokensMax: parameters.max_seq_len }),
        ...given({ questionTokensMax: parameters.max_question_len, answerTokensMax: parameters.max_answer_len }),
        ...given({ allowsNone: parameters.handle_impossible_answer, alignsToWords: parameters.align_to_words }),
      };
    },
  },
  fill: {
    inputs: ["text"],
    parameters: ["top_k", "targets"],
    build: ({ texts }, { top_k, targets }) => ({ task: "fill", texts: texts("text"), ...given({ topK: top_k, targets }) }),
  },
  "zero-shot": {
    inputs: ["text"],
    parameters: ["candidate_labels", "hypothesis_template", "multi_label"],
    build: ({ texts }, { candidate_labels: labels, hypothesis_template, multi_label }) => {
      if (labels === undefined) throw refusal("parameters.candidate_labels", "is missing");
      return { task: "zero-shot", texts: texts("text"), labels, ...given({ template: hypothesis_template, isMultiLabel: multi_label }) };
    },
  },
  rerank: {
    inputs: ["query", "documents"],
    parameters: ["raw_scores", "truncate"],
    build: ({ texts }, parameters) => {
      const [query = "", ...others] = texts("query");
      if (others.length > 0) throw refusal("inputs", "'query' must hold one text");
      return {
        ...{ task: "rerank", query, documents: texts("documents"), overlong: overlongOf(parameters) },
        ...given({ isRaw: parameters.raw_scores }),
      };
    },
  },
  detect: { inputs: ["text"], parameters: [], build: ({ texts }) => ({ task: "detect", texts: texts("text") }) },
  keywords: {
    inputs: ["text"],
    parameters: ["top_k", "words_min", "words_max", "diversity"],
    build: ({ texts }, { top_k, words_min, words_max, diversity }) => ({
      ...{ task: "keywords", texts: texts("text") },
      ...given({ topK: top_k, wordsMin: words_min, wordsMax: words_max, diversity }),
    }),
  },
  summarize: {
    inputs: ["text"],
    parameters: ["sentences"],
    build: ({ texts }, { sentences }) => ({ task: "summarize", texts: texts("text"), ...given({ sentences }) }),
  },
};

function columnsOf(columns: TextColumns): Columns {
  const column = (name: string) => columns.get(name) ?? { texts: [], field: name };
  const texts = (name: string) => {
    const { texts, field } = column(name);
    for (const [row, text] of texts.entries()) textInput(text, `${field}.data.${row}`);
    return texts;
  };
  return {
    texts: (name) => {
      if (name === "context") assertAlike(columns, "question", "context");
      return texts(name);
    },
    inputs: (first, second = "") => {
      assertAlike(columns, first, second);
      const pairs = columns.has(second) ? texts(second) : [];
      return column(first).texts.map((text, row) => textInput(text, `${column(first).field}.data.${row}`, pairs[row]));
    },
  };
}

function assertAlike(columns: TextColumns, first: string, second: string) {
  const [one, other] = [columns.get(first), columns.get(second)];
  if (one === undefined || other === undefined || one.texts.length === other.texts.length) return;
  throw refusal("inputs", `'${first}' and '${second}' must hold equally many texts`);
}

function overlongOf({ truncate }: Pick<Parameters, "truncate">): Overlong {
  return truncate === false ? "refuse" : "cut";
}

/** Only what was said: a field that is absent and one that is undefined are two things to the contract. */
function given<T extends Readonly<Record<string, unknown>>>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as { [Name in keyof T]?: Exclude<T[Name], undefined> }; // the same fields without the undefined ones
}
