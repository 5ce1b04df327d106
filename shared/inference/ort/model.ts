import { join } from "node:path";
import { scanFolder } from "../../models/folder.disk.ts";
import { checkFolder, dtypesIn, graphPathIn } from "../../models/folder.ts";
import type { Dtype } from "../../models/version.ts";
import type { TaskRequest, TaskResult } from "../contract.ts";
import { createDirectCoder } from "../runtime/direct-coder.ts";
import { forward, forwardSettingsOf } from "../runtime/forward.ts";
import { factsOf, headOf } from "../runtime/heads.ts";
import { type ModelFiles, readModelFiles } from "../runtime/model-files.ts";
import type { PlannedInput, Rows, TaskModel } from "../runtime/plan.ts";
import { unfit } from "../runtime/read-json.ts";
import type { Session } from "../runtime/session.ts";
import { planForward } from "../runtime/tasks/forward.ts";
import { checkTask, planTask } from "../runtime/tasks/plan-task.ts";
import { openSession, type SessionOptions } from "./session.ts";

/** A version in this process, ready to run: for intake's check and for tests. The inference function does the same in workers, behind a queue. */
export type Model = TaskModel & {
  /** The tokenizer's largest token id. */
  readonly idMax: number;
  readonly session: Session;
  /** Runs a request's inputs together; blocks the event loop meanwhile. Text generation has a driver of its own. */
  readonly run: (request: TaskRequest) => Promise<{ readonly body: TaskResult; readonly inputTokens: readonly number[] }>;
  readonly forward: (inputs: readonly PlannedInput[]) => Promise<Rows[]>;
  readonly dispose: () => Promise<void>;
};

/** Loads a model from a folder in the Hugging Face layout. Fails with `invalid_request` and the reason if it cannot be served. */
export function loadModel(folder: string, dtype: Dtype, options: SessionOptions): Promise<Model> {
  return loadModelWith((path) => openSession(path, options), folder, dtype);
}

/** The same on another runtime, such as the one for WASM. */
export async function loadModelWith(open: (path: string) => Promise<Session>, folder: string, dtype: Dtype): Promise<Model> {
  const disk = await scanFolder(folder);
  await checkFolder(disk, dtype);
  const files = await readModelFiles(folder);
  const { coder, idMax } = createDirectCoder(files);
  checkVocabulary(files, idMax);
  const session = await open(join(folder, graphPathIn(disk.files, dtype) ?? ""));
  try {
    const also = { dtypes: dtypesIn(disk.files), ...(files.settings.chatTemplate !== undefined && { chats: true }) };
    return assemble({ facts: factsOf(session, files.settings, also), settings: files.settings, coder, idMax, session }, dtype);
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

function assemble(parts: Omit<Model, "run" | "forward" | "dispose">, dtype: Dtype): Model {
  const { session, settings } = parts;
  const how = forwardSettingsOf(headOf(session, settings), settings, dtype);
  const model = { ...parts, forward: (inputs: readonly PlannedInput[]) => forward(session, inputs, how), dispose: session.dispose };
  return { ...model, run: (request) => run(model, request) };
}

async function run(model: Omit<Model, "run">, request: TaskRequest) {
  if (request.task === "forward") return runTensors(model, request);
  const plan = await planTask(request, model);
  return { body: await plan.finish(await model.forward(plan.inputs)), inputTokens: plan.inputTokens };
}

async function runTensors(model: Omit<Model, "run">, request: Extract<TaskRequest, { task: "forward" }>) {
  checkTask("forward", model.facts);
  const { feeds, fetches, inputTokens, finish } = planForward(request, model);
  const outputs = await model.session.run(feeds, Object.fromEntries(fetches.map((name) => [name, undefined])));
  return { body: finish(outputs), inputTokens };
}

function checkVocabulary({ settings: { vocabSize } }: ModelFiles, idMax: number) {
  if (vocabSize === undefined || idMax < vocabSize) return;
  throw unfit(
    "tokenizer.json",
    `it knows token ids up to ${idMax}, and the model has ${vocabSize} word embeddings (config.json, vocab_size)`,
  );
}
