import * as z from "zod";
import type { InferenceResult, ModelInput, TaskRequest } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { parseJson, readBody } from "../../http.ts";
import { READ_ONLY } from "../../serve/admit.ts";
import { askTask, INPUTS_MAX, textInput } from "../../serve/ask.ts";
import { answerServed, callOf } from "../../serve/call.ts";
import { answerOnce } from "../../serve/once.ts";
import { jsonAnswer, writePlainly } from "../../serve/rendered.ts";
import { assertTask, type Call, chooseTarget, serveTarget } from "../../serve/serve.ts";
import { isUpstream, ModelField, proxyOpenai } from "./upstream.ts";

const TokenIds = z.array(z.int().min(0)).min(1, "may not be empty");

/** https://platform.openai.com/docs/api-reference/embeddings/create; fields that we do not know are left alone, as OpenAI's clients expect. */
export const EmbeddingsRequest = z
  .object({
    model: ModelField,
    input: z.union([z.string(), z.array(z.string()).min(1).max(INPUTS_MAX), TokenIds, z.array(TokenIds).min(1).max(INPUTS_MAX)], {
      error: `must be a text, 1 to ${INPUTS_MAX} texts, token ids, or 1 to ${INPUTS_MAX} lists of token ids`,
    }),
    encoding_format: z.enum(["float", "base64"]).default("float"),
    dimensions: z.int().positive().optional(),
    user: z.string().optional(),
  })
  .meta({ id: "EmbeddingsRequest" });
export type EmbeddingsRequest = z.infer<typeof EmbeddingsRequest>;

export const EmbeddingsAnswer = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: z.int().min(0),
        embedding: z.union([z.array(z.number()), z.string().meta({ description: "little-endian float32 in base64" })]),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .meta({ id: "EmbeddingsAnswer" });

/** `POST /v1/embeddings`. Too long an input is refused, as OpenAI does. */
export function answerEmbeddings(deps: Deps) {
  return async function answerEmbeddings(c: EdgeContext) {
    const body = await readBody(c);
    const asked = parseJson(body, EmbeddingsRequest);
    const inputs = inputsOf(asked.input);
    const call = callOf(c, { dialect: "openai", reference: asked.model, body, user: asked.user });
    return answerOnce(deps, c, { call, write: writePlainly, run: (once) => embed(deps, c, { call: once, body, asked, inputs }) });
  };
}

type Embedding = { readonly call: Call; readonly body: Uint8Array; readonly asked: EmbeddingsRequest; readonly inputs: ModelInput[] };

async function embed(deps: Deps, c: EdgeContext, { call, body, asked, inputs }: Embedding): Promise<Response> {
  const target = await chooseTarget(deps, call);
  if (isUpstream(target)) {
    const sizes = { ...READ_ONLY, task: "embed", inputs: inputs.length, inputTokensMax: Number.POSITIVE_INFINITY };
    return proxyOpenai(deps, c, { call, target, path: "/embeddings", sizes, body, inBody: { model: asked.model } });
  }
  const served = await serveTarget(deps, call, {
    target,
    ask: (version) => askEmbeddings(version, asked, inputs),
    render: (result, version) => jsonAnswer(renderEmbeddings(result, asked, `${version.model}@${version.number}`)),
  });
  return answerServed(c, served);
}

function inputsOf(input: EmbeddingsRequest["input"]): ModelInput[] {
  if (typeof input === "string") return [textInput(input, "input")];
  return isTokenIds(input)
    ? [{ kind: "tokens", tokenIds: input }]
    : input.map((each, index) => (typeof each === "string" ? textInput(each, `input.${index}`) : { kind: "tokens", tokenIds: each }));
}

function isTokenIds(input: readonly (number | string | number[])[]): input is number[] {
  return typeof input[0] === "number";
}

function askEmbeddings(version: ReadyVersion, asked: EmbeddingsRequest, inputs: readonly ModelInput[]): TaskRequest {
  assertTask(version, "embed");
  return askTask(version, { inputs, overlong: "refuse", dimensions: asked.dimensions });
}

/** Written by hand, because the base64 form of a vector needs no step through JSON numbers. */
function renderEmbeddings({ body, inputTokens }: InferenceResult, asked: EmbeddingsRequest, model: string): string {
  if (body.task !== "embed") throw new Error(`asked for vectors, got ${body.task}`);
  const { vectors, dimensions } = body;
  const data = inputTokens.map((_, index) => {
    const vector = vectors.subarray(index * dimensions, (index + 1) * dimensions);
    return `{"object":"embedding","index":${index},"embedding":${encode(vector, asked.encoding_format)}}`;
  });
  const tokens = inputTokens.reduce((sum, each) => sum + each, 0);
  const usage = `{"prompt_tokens":${tokens},"total_tokens":${tokens}}`;
  return `{"object":"list","data":[${data.join(",")}],"model":${JSON.stringify(model)},"usage":${usage}}`;
}

function encode(vector: Float32Array, format: EmbeddingsRequest["encoding_format"]): string {
  if (format === "base64") return `"${Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64")}"`;
  return JSON.stringify(Array.from(vector));
}
