import { Failure } from "../../../base/failure.ts";
import { type Task, tasksOf } from "../../../models/tasks.ts";
import type { VersionFacts } from "../../../models/version.ts";
import type { ForwardRequest, TaskRequest } from "../../contract.ts";
import { checkRows } from "../forward.ts";
import type { TaskModel, TaskPlan } from "../plan.ts";
import { planAnswer } from "./answer.ts";
import { planClassify } from "./classify.ts";
import { planDetect } from "./detect.ts";
import { planEmbed } from "./embed.ts";
import { planFill } from "./fill.ts";
import { planKeywords } from "./keywords.ts";
import { planRerank } from "./rerank.ts";
import { planSummarize } from "./summarize.ts";
import { planTag } from "./tag.ts";
import { planZeroShot } from "./zero-shot.ts";

/** Tasks on texts; tensors for the bare graph go through `planForward`, which needs no tokenizer and no batch. */
export type TextTaskRequest = Exclude<TaskRequest, ForwardRequest>;

/** What a request asks of the graph, and what becomes of its numbers. Fails with `invalid_request` for what the version does not do. */
export async function planTask(request: TextTaskRequest, model: TaskModel, signal?: AbortSignal): Promise<TaskPlan> {
  checkTask(request.task, model.facts);
  const plan = await planOf(request, model, signal);
  checkTokens(plan);
  return {
    ...plan,
    finish: (rows) => {
      if (rows.length !== plan.inputs.length) throw new Error(`${plan.inputs.length} inputs were planned, and ${rows.length} have rows`);
      checkRows(rows);
      return plan.finish(rows);
    },
  };
}

/** Fails with `invalid_request` and what the version does instead. */
export function checkTask(task: Task, facts: VersionFacts): void {
  const tasks = tasksOf(facts);
  if (!tasks.includes(task)) throw new Failure("invalid_request", `The model does ${tasks.join(", ")}, not ${task}.`, { field: "model" });
}

async function planOf(request: TextTaskRequest, model: TaskModel, signal?: AbortSignal): Promise<TaskPlan> {
  switch (request.task) {
    case "embed":
      return planEmbed(request, model, signal);
    case "classify":
      return planClassify(request, model, signal);
    case "tag":
      return planTag(request, model, signal);
    case "answer":
      return planAnswer(request, model, signal);
    case "fill":
      return planFill(request, model, signal);
    case "zero-shot":
      return planZeroShot(request, model, signal);
    case "rerank":
      return planRerank(request, model, signal);
    case "detect":
      return planDetect(request, model, signal);
    case "keywords":
      return planKeywords(request, model, signal);
    case "summarize":
      return planSummarize(request, model, signal);
  }
}

/** A tokenizer without a template makes nothing of an empty text, and a row of padding alone is computed into nonsense. */
function checkTokens({ inputs, inputTokens }: TaskPlan): void {
  const empty = inputs.findIndex(({ ids }) => ids.length === 0);
  if (empty < 0) return;
  const isCallers = inputs.length === inputTokens.length; // one run for each of the caller's inputs
  throw new Failure("invalid_request", "The input has no tokens that the model could read.", isCallers ? { field: `input.${empty}` } : {});
}
