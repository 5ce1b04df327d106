import { join } from "node:path";
import { Failure } from "../../base/failure.ts";
import { scanFolder } from "../../models/folder.disk.ts";
import { checkFolder, dtypesIn, graphPathIn } from "../../models/folder.ts";
import type { Dtype, VersionFacts } from "../../models/version.ts";
import type { TaskRequest, TaskResult } from "../contract.ts";
import { checkInputs, forward, type Head, headOf, isBatchable, type Rows } from "../runtime/forward.ts";
import { type ModelFiles, readModelFiles, unfit } from "../runtime/model-files.ts";
import type { OutputShape, Session } from "../runtime/session.ts";
import { encodeInputs, finishTask } from "../runtime/task.ts";
import { labelsOf } from "../runtime/tasks/classify.ts";
import { createEncoder, type EncodedInput, type Encoder } from "../runtime/tokenize.ts";
import { openSession, type SessionOptions } from "./session.ts";

/** A version in this process, ready to run: for intake's check and for tests. The inference function does the same in workers, behind a queue. */
export type Model = {
  readonly facts: VersionFacts;
  readonly encoder: Encoder;
  /** Runs a request's inputs together; blocks the event loop meanwhile. */
  readonly run: (request: TaskRequest) => Promise<{ readonly body: TaskResult; readonly inputTokens: readonly number[] }>;
  readonly forward: (inputs: readonly EncodedInput[]) => Promise<Rows>;
  readonly dispose: () => Promise<void>;
};

/** Loads a model from a folder in the Hugging Face layout. Fails with `invalid_request` and the reason if it cannot be served. */
export async function loadModel(folder: string, dtype: Dtype, options: SessionOptions): Promise<Model> {
  const disk = await scanFolder(folder);
  await checkFolder(disk, dtype);
  const files = await readModelFiles(folder);
  const encoder = createEncoder(files);
  checkVocabulary(files, encoder);
  const session = await openSession(join(folder, graphPathIn(disk.files, dtype) ?? ""), options);
  try {
    const facts = factsOf(files, session, dtypesIn(disk.files));
    const isBatched = isBatchable(dtype);
    const forwardAll = (inputs: readonly EncodedInput[]) => forward(session, inputs, { ...files.settings, isBatched });
    return {
      facts,
      encoder,
      forward: forwardAll,
      run: (request) => run(files, { encoder, forwardAll }, request),
      dispose: session.dispose,
    };
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

type Runner = { readonly encoder: Encoder; readonly forwardAll: Model["forward"] };

async function run({ settings }: ModelFiles, { encoder, forwardAll }: Runner, request: TaskRequest) {
  const inputs = await encodeInputs(encoder, request);
  return { body: finishTask(await forwardAll(inputs), request, settings), inputTokens: inputs.map(({ ids }) => ids.length) };
}

function checkVocabulary({ settings: { vocabSize } }: ModelFiles, { idMax }: Encoder) {
  if (vocabSize === undefined || idMax < vocabSize) return;
  throw unfit(
    "tokenizer.json",
    `it knows token ids up to ${idMax}, and the model has ${vocabSize} word embeddings (config.json, vocab_size)`,
  );
}

/** What the graph and the files say together; what they contradict each other in is refused. */
function factsOf({ settings }: ModelFiles, session: Session, dtypes: Dtype[]): VersionFacts {
  checkInputs(session.inputNames);
  const head = headOf(session.outputs);
  const { family, tokensMax, otherModules, poolings } = settings;
  const width = widthOf(session.outputs, head);
  const facts = { task: head.task, family, tokensMax, dtypes };
  if (head.task === "classify") return { ...facts, labels: [...labelsOf(settings, width ?? 0)] };
  if (head.holds === "tokens" && otherModules.length > 0) {
    throw unfit("modules.json", `${otherModules.join(", ")} must be part of the graph (an output named sentence_embedding)`);
  }
  return width === undefined ? facts : { ...facts, dimensions: head.holds === "tokens" ? width * poolings.length : width };
}

function widthOf(outputs: readonly OutputShape[], head: Head): number | undefined {
  return outputs.find(({ name }) => name === head.output)?.dims.at(-1);
}

/**
 * Runs a model the way its users will: an ordinary text, a pair, the tokenizer's highest token, the longest input. Answers with what was learned.
 * A graph that never ends is for the caller to stop, from outside of this process.
 */
export async function runGolden(model: Model): Promise<VersionFacts> {
  const { facts, encoder } = model;
  const text = { kind: "text", text: "Weir checks this model: 1, 2, 3." } as const;
  const inputs = facts.task === "classify" ? [text, { ...text, textPair: "And a second text." }] : [text];
  const { body } = await attempt("an ordinary text", () => model.run({ task: facts.task, inputs, overlong: "cut" }));
  await attempt(`the tokenizer's highest token id, ${encoder.idMax}`, () => model.forward([tokens(encoder.idMax, 1)]));
  await attempt(`${facts.tokensMax} tokens, as its files say it can`, () => model.forward([tokens(encoder.idMax, facts.tokensMax)]));
  return body.task === "embed" ? { ...facts, dimensions: body.dimensions } : facts;
}

const tokens = (id: number, count: number): EncodedInput => ({ ids: new Int32Array(count).fill(id), typeIds: new Int32Array(count) });

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    throw new Failure("invalid_request", `The model cannot read ${what}. ${cause.message}`, { cause });
  }
}
