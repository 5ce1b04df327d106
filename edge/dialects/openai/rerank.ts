import * as z from "zod";
import type { InferenceResult, RerankRequest as RerankTask } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { parseJson, readBody } from "../../http.ts";
import { READ_ONLY } from "../../serve/admit.ts";
import { INPUTS_MAX, textInput } from "../../serve/ask.ts";
import { answerServed, callOf } from "../../serve/call.ts";
import { answerOnce } from "../../serve/once.ts";
import { jsonAnswer, writePlainly } from "../../serve/rendered.ts";
import { assertTask, type Call, chooseTarget, serveTarget } from "../../serve/serve.ts";
import { isUpstream, ModelField, proxyOpenai } from "./upstream.ts";

/** The form that Cohere, Jina and others share (https://docs.cohere.com/reference/rerank); fields that we do not know are left alone. */
export const RerankBody = z
  .object({
    model: ModelField,
    query: z.string(),
    documents: z
      .array(z.union([z.string(), z.object({ text: z.string() })]))
      .min(1)
      .max(INPUTS_MAX),
    top_n: z.int().min(1).nullish().meta({ description: "Absent, all documents" }),
    return_documents: z.boolean().nullish(),
    user: z.string().optional(),
  })
  .meta({ id: "RerankRequest" });
type RerankBody = z.infer<typeof RerankBody>;

export const RerankAnswer = z
  .object({
    id: z.string(),
    model: z.string(),
    results: z
      .array(z.object({ index: z.int(), relevance_score: z.number(), document: z.object({ text: z.string() }).optional() }))
      .meta({ description: "The most relevant document first" }),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .meta({ id: "RerankAnswer" });

/** `POST /v1/rerank`. Too long a document is cut, as the others do. */
export function answerRerank(deps: Deps) {
  return async function answerRerank(c: EdgeContext) {
    const body = await readBody(c);
    const asked = parseJson(body, RerankBody);
    const task = taskOf(asked);
    const call = callOf(c, { dialect: "openai", reference: asked.model, body, user: asked.user });
    return answerOnce(deps, c, { call, write: writePlainly, run: (once) => rank(deps, c, { call: once, body, asked, task }) });
  };
}

type Ranking = { readonly call: Call; readonly body: Uint8Array; readonly asked: RerankBody; readonly task: RerankTask };

async function rank(deps: Deps, c: EdgeContext, { call, body, asked, task }: Ranking): Promise<Response> {
  const target = await chooseTarget(deps, call);
  if (isUpstream(target)) {
    const sizes = { ...READ_ONLY, task: "rerank", inputs: task.documents.length, inputTokensMax: Number.POSITIVE_INFINITY };
    return proxyOpenai(deps, c, { call, target, path: "/rerank", sizes, body, inBody: { model: asked.model } });
  }
  const served = await serveTarget(deps, call, {
    target,
    ask: (version) => askRerank(version, task),
    render: (result, version) =>
      jsonAnswer(JSON.stringify({ id: `rerank-${call.requestId}`, ...renderRerank(result, { asked, task, version }) })),
  });
  return answerServed(c, served);
}

function taskOf({ query, documents }: RerankBody): RerankTask {
  textInput(query, "query");
  const texts = documents.map((document) => (typeof document === "string" ? document : document.text));
  for (const [index, text] of texts.entries()) textInput(text, `documents.${index}`);
  return { task: "rerank", query, documents: texts, overlong: "cut" };
}

function askRerank(version: ReadyVersion, task: RerankTask): RerankTask {
  assertTask(version, "rerank");
  return task;
}

type Rendering = { readonly asked: RerankBody; readonly task: RerankTask; readonly version: ReadyVersion };

function renderRerank(
  { body, inputTokens }: InferenceResult,
  { asked, task, version }: Rendering,
): Omit<z.infer<typeof RerankAnswer>, "id"> {
  if (body.task !== "rerank") throw new Error(`asked for a ranking, got ${body.task}`);
  const ranked = body.scores.map((score, index) => ({ index, relevance_score: score }));
  ranked.sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index);
  const results = ranked.slice(0, asked.top_n ?? undefined).map((each) => ({ ...each, ...documentOf(each.index, asked, task) }));
  const tokens = inputTokens.reduce((sum, each) => sum + each, 0);
  return { model: `${version.model}@${version.number}`, results, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

function documentOf(index: number, asked: RerankBody, { documents }: RerankTask) {
  return asked.return_documents === true ? { document: { text: documents[index] ?? "" } } : {};
}
