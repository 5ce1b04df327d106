import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { GenerateRequest } from "../../../shared/inference/generation.ts";
import { tasksOf } from "../../../shared/models/tasks.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked, parseJson, readBody } from "../../http.ts";
import type { Sizes } from "../../serve/admit.ts";
import { answerServed, answerStreamed, callOf } from "../../serve/call.ts";
import { type GenerationPlan, type StreamRenderer, serveGeneration, streamGeneration } from "../../serve/generate.ts";
import type { Generation } from "../../serve/generation.ts";
import { answerOnce } from "../../serve/once.ts";
import { jsonAnswer, writePlainly } from "../../serve/rendered.ts";
import { type Call, chooseTarget, nativeVersionOf } from "../../serve/serve.ts";
import { dataEvent, type Head, headOf } from "./answer-head.ts";
import { chatStream, renderChat } from "./chat-answer.ts";
import { askChat, ChatFields } from "./chat-request.ts";
import { completionStream, renderCompletion } from "./completion-answer.ts";
import { askCompletion, CompletionFields } from "./completion-request.ts";
import { renderOpenaiFailure } from "./failure.ts";
import { inCallersWords } from "./field-names.ts";
import { estimateInputTokens } from "./input-estimate.ts";
import { isUpstream, ModelField, proxyOpenai } from "./upstream.ts";

const RoutingFields = {
  model: ModelField,
  user: z.string().optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
} as const;

/** Only what routing needs is read before it is known who answers: an engine checks the rest itself and refuses it in its own words. */
const RoutedRequest = z.looseObject(RoutingFields);
/** Below a path that names the model, clients put their endpoint's URL or anything else into the body. */
const PathRoutedRequest = RoutedRequest.extend({ model: z.string().optional() });
type RoutedRequest = z.infer<typeof PathRoutedRequest>;

export const CompletionBody = z.object({ ...RoutingFields, ...CompletionFields }).meta({ id: "CompletionRequest" });
export const ChatBody = z.object({ ...RoutingFields, ...ChatFields }).meta({ id: "ChatCompletionRequest" });
export const PathCompletionBody = CompletionBody.extend({ model: z.string().optional() }).meta({ id: "PathCompletionRequest" });
export const PathChatBody = ChatBody.extend({ model: z.string().optional() }).meta({ id: "PathChatCompletionRequest" });

/** What one of the two APIs makes of a request for our own models. */
type Api = {
  readonly kind: "cmpl" | "chatcmpl";
  /** Reads the body, which the routing fields have been read from, and answers what to ask. Refuses what is out of its range. */
  readonly read: (body: unknown) => (version: ReadyVersion) => GenerateRequest;
  readonly render: (head: Head, generation: Generation, request: GenerateRequest) => object;
  readonly stream: (head: Head, request: GenerateRequest, includeUsage: boolean) => Omit<StreamRenderer, "failed">;
};

const CompletionRequest = z.object(CompletionFields);
const ChatRequest = z.object(ChatFields);

const APIS = {
  "/completions": {
    kind: "cmpl",
    read(body) {
      const asked = checked(body, CompletionRequest);
      return (version) => askCompletion(version, asked);
    },
    render: renderCompletion,
    stream: completionStream,
  },
  "/chat/completions": {
    kind: "chatcmpl",
    read(body) {
      const asked = checked(body, ChatRequest);
      return (version) => askChat(version, asked);
    },
    render: renderChat,
    stream: chatStream,
  },
} as const satisfies Record<string, Api>;

/** `…/v1/completions` and `…/v1/chat/completions`, for our own models and for foreign engines; streamed when the caller asks for it. */
export function answerCompletion(deps: Deps, path: keyof typeof APIS) {
  return async function answerCompletion(c: EdgeContext) {
    const body = await readBody(c);
    const named = c.req.param("model");
    const asked = parseJson(body, named === undefined ? RoutedRequest : PathRoutedRequest);
    const reference = named ?? asked.model ?? "";
    const call = callOf(c, { dialect: named === undefined ? "openai" : "hf", reference, body, user: asked.user });
    return answerOnce(deps, c, { call, write: writePlainly, run: (once) => complete(deps, c, { path, call: once, body, asked }) });
  };
}

type Completing = Pick<Native, "path" | "call" | "asked"> & { readonly body: Uint8Array };

async function complete(deps: Deps, c: EdgeContext, { path, call, body, asked }: Completing): Promise<Response> {
  const target = await chooseTarget(deps, call);
  if (isUpstream(target)) {
    const sizes = upstreamSizes(path, asked);
    const tokens = asked.stream === true ? tokensOf(sizes, asked) : undefined;
    return proxyOpenai(deps, c, { call, target, path, sizes, body, inBody: asked, tokens });
  }
  assertGenerates(nativeVersionOf(target), call.reference);
  const api: Api = APIS[path];
  const native = { path, api, call, plan: { target, ask: api.read(asked) }, asked };
  try {
    return await (asked.stream === true ? answerStream(deps, c, native) : answerWhole(deps, c, native));
  } catch (failure) {
    throw inCallersWords(failure, path);
  }
}

/** More than any engine takes; a product of it and any sensible limit is still exact. */
const ENGINE_CHOICES_MAX = 65_536;

/**
 * The most that the body allows the engine, as far as it says so: what makes no sense, the engine refuses itself. Of two limits the engine may know either one,
 * so the larger counts.
 */
function upstreamSizes(path: keyof typeof APIS, asked: Readonly<Record<string, unknown>>): Sizes {
  const counts = (...names: string[]) => names.map((name) => asked[name]).filter((value): value is number => isCount(value));
  const chosen = path === "/completions" ? counts("n", "best_of") : counts("n");
  const prompts = path === "/completions" ? promptCount(asked["prompt"]) : 1;
  const choices = Math.min(prompts * Math.max(1, ...chosen), ENGINE_CHOICES_MAX);
  const limits = counts("max_completion_tokens", "max_tokens");
  const tokensMax = limits.length === 0 ? Number.POSITIVE_INFINITY : Math.min(choices * Math.max(...limits), Number.MAX_SAFE_INTEGER);
  return { task: "generate", inputs: prompts, inputTokensMax: Number.POSITIVE_INFINITY, choices, outputTokensMax: tokensMax };
}

function tokensOf({ inputs, choices }: Sizes, asked: Readonly<Record<string, unknown>>) {
  return {
    inputTokensEstimate: estimateInputTokens({ prompt: asked["prompt"], messages: asked["messages"] }),
    choices,
    choicesPerPrompt: Math.ceil(choices / inputs),
  };
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0;

/** One text, or one list of token ids, is one prompt; a list of either is as many as it holds. */
function promptCount(prompt: unknown): number {
  return Array.isArray(prompt) && typeof prompt[0] !== "number" ? Math.max(1, prompt.length) : 1;
}

type Native = {
  readonly path: keyof typeof APIS;
  readonly api: Api;
  readonly call: Call;
  readonly plan: GenerationPlan;
  readonly asked: RoutedRequest;
};

async function answerWhole(deps: Deps, c: EdgeContext, { api, call, plan, asked }: Native): Promise<Response> {
  if (asked.stream_options) throw new Failure("invalid_request", "stream_options: needs stream to be true", { field: "stream_options" });
  const render = (generation: Generation, version: ReadyVersion, request: GenerateRequest) =>
    jsonAnswer(JSON.stringify(api.render(headOf(call, version, api.kind), generation, request)));
  return answerServed(c, await serveGeneration(deps, call, { ...plan, render }));
}

async function answerStream(deps: Deps, c: EdgeContext, { path, api, call, plan, asked }: Native): Promise<Response> {
  const includeUsage = asked.stream_options?.include_usage === true;
  const streamed = await streamGeneration(deps, call, {
    ...plan,
    renderer: (request, version) => ({
      ...api.stream(headOf(call, version, api.kind), request, includeUsage),
      failed: (failure) => dataEvent(renderOpenaiFailure(inCallersWords(failure, path), call.requestId)),
    }),
  });
  return answerStreamed(c, streamed);
}

function assertGenerates(version: ReadyVersion, reference: string) {
  if (tasksOf(version.facts).includes("generate")) return;
  throw new Failure("invalid_request", `The model '${reference}' does not generate text.`, { field: "model" });
}
