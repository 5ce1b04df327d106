import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import * as z from "zod";
import { Failure } from "../base/failure.ts";
import type { PageQuery } from "../base/page.ts";
import { GenerateAnswer, GenerateStreamEvent, InferAnswer } from "../oip/answers.ts";
import {
  Loaded,
  ModelConfig,
  ModelMetadata,
  ModelNames,
  ModelReady,
  RepositoryIndex,
  ServerMetadata,
  Statistics,
} from "../oip/descriptions.ts";
import { createTensorReader, HEADER_LENGTH, joinFrame, parseHeaderLength, splitFrame } from "../oip/frame.ts";
import type { Http } from "./http.ts";
import { type OipTensor, readTensor, tensorBytes, tensorElements } from "./oip-tensors.ts";
import { dataOfEvents } from "./server-events.ts";

/** A model by its reference, and a version of it if it is to be a certain one. */
export type OipModel = { readonly model: string; readonly version?: number | string | undefined };

export type Parameters = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export type InferAsk = OipModel & {
  readonly id?: string;
  readonly parameters?: Parameters;
  readonly inputs: readonly OipTensor[];
  /** Absent, all. `classes`: the largest elements as texts `value:index[:label]`. */
  readonly outputs?: readonly { readonly name: string; readonly classes?: number }[];
  /** How tensors travel, both ways; absent, in binary. */
  readonly form?: "binary" | "json";
  /** Of the request; what an answer is compressed by is seen to by itself. */
  readonly compression?: keyof typeof COMPRESSORS;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export type Served = {
  readonly arm: string;
  readonly tier: string;
  readonly requestId: string;
  /** Why a fallback served, such as `gpu unavailable`; absent if none did. */
  readonly degraded?: string;
};

export type InferredTensors = {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly outputs: readonly OipTensor[];
  /** Who served it, as the answer's headers say. */
  readonly served: Served;
};

export type GenerateAsk = OipModel & {
  readonly id?: string;
  readonly text: string;
  readonly parameters?: Parameters;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

const COMPRESSORS = { gzip: promisify(gzip), deflate: promisify(deflate) };

/** A client of the Open Inference Protocol V2, with the extensions that Weir has. Failures are `Failure`s. */
export type OipClient = ReturnType<typeof createOipClient>;

export function createOipClient(http: Http) {
  const get = <T>(path: readonly string[], answer: z.ZodType<T>) => http.ask({ method: "GET", path: ["v2", ...path], answer });
  const post = <T>(path: readonly string[], { body, answer }: { body: unknown; answer: z.ZodType<T> }) =>
    http.ask({ method: "POST", path: ["v2", ...path], body, answer });
  return {
    isLive: () => holds(get(["health", "live"], z.object({ live: z.literal(true) }))),
    isReady: () => holds(get(["health", "ready"], z.object({ ready: z.literal(true) }))),
    server: () => get([], ServerMetadata),
    models: (page: Partial<PageQuery> = {}) => http.ask({ method: "GET", path: ["v2", "models"], query: page, answer: ModelNames }),
    metadata: (model: OipModel) => get(pathOf(model), ModelMetadata),
    /** False for a model that is not ready; one that does not exist is `not_found`. */
    isModelReady: (model: OipModel) => holds(get([...pathOf(model), "ready"], ModelReady)),
    config: (model: OipModel) => get([...pathOf(model), "config"], ModelConfig),
    /** Of one model, or of all that the key's tenant called. */
    statistics: (model?: OipModel) => get([...(model === undefined ? ["models"] : pathOf(model)), "stats"], Statistics),
    index: (asked: { ready?: boolean } = {}) => post(["repository", "index"], { body: asked, answer: RepositoryIndex }),
    load: (model: string) => post(["repository", "models", model, "load"], { body: {}, answer: Loaded }),
    unload: (model: string) => post(["repository", "models", model, "unload"], { body: {}, answer: z.unknown() }),
    infer: (ask: InferAsk) => infer(http, ask),
    generate: (ask: GenerateAsk) => http.ask({ ...generateOf(ask, "generate"), answer: GenerateAnswer }),
    generateStream: (ask: GenerateAsk) => generateStream(http, ask),
  };
}

async function infer(http: Http, ask: InferAsk): Promise<InferredTensors> {
  const { body, headers } = await requestOf(ask);
  const { signal } = ask;
  const answer = await http.bytes({
    method: "POST",
    path: ["v2", ...pathOf(ask), "infer"],
    body,
    headers: { ...ask.headers, ...headers },
    signal,
  });
  try {
    return readAnswer(answer);
  } catch (cause) {
    const reason = cause instanceof Failure ? cause.message : "its form";
    throw new Failure("engine_failed", `The answer to an inference is not in the form of this client's version: ${reason}`, { cause });
  }
}

async function requestOf(ask: InferAsk): Promise<{ body: Uint8Array; headers: Record<string, string> }> {
  const { id, parameters, inputs, outputs, form = "binary", compression } = ask;
  const isBinary = form === "binary";
  const parts = isBinary ? inputs.map(tensorBytes) : [];
  const tensors = inputs.map((tensor, index) => {
    const { name, shape, datatype } = tensor;
    const size = parts[index]?.byteLength;
    return {
      name,
      shape,
      datatype,
      ...(size === undefined ? { data: tensorElements(tensor) } : { parameters: { binary_data_size: size } }),
    };
  });
  const wanted = outputs?.map(({ name, classes }) => ({
    name,
    ...(classes === undefined ? {} : { parameters: { classification: classes } }),
  }));
  const json = { id, parameters: { ...parameters, binary_data_output: isBinary }, inputs: tensors, outputs: wanted };
  const { body, headerBytes } = joinFrame(json, parts);
  const headers = isBinary
    ? { "content-type": "application/octet-stream", [HEADER_LENGTH]: String(headerBytes) }
    : { "content-type": "application/json" };
  if (compression === undefined) return { body, headers };
  return { body: await COMPRESSORS[compression](body), headers: { ...headers, "content-encoding": compression } };
}

function readAnswer({ bytes, headers }: { bytes: Uint8Array; headers: Headers }): InferredTensors {
  const { json, tensors } = splitFrame(bytes, parseHeaderLength(headers.get(HEADER_LENGTH) ?? undefined));
  const { model_name, model_version, id, outputs } = LosslessAnswer.parse(json);
  const reader = createTensorReader(tensors);
  const read = outputs.map(({ name, datatype, shape, parameters, data = [] }, index) => {
    const field = `outputs.${index}`;
    const size = parameters?.binary_data_size;
    const payload = size === undefined ? ({ kind: "json", data } as const) : ({ kind: "binary", bytes: reader.take(size, field) } as const);
    return readTensor({ name, datatype, shape, payload }, field);
  });
  reader.end();
  const said = (name: string) => headers.get(name) ?? "";
  const degraded = headers.has("weir-degraded") ? { degraded: said("weir-degraded") } : {};
  const served = { arm: said("weir-arm"), tier: said("weir-tier"), requestId: said("weir-request-id"), ...degraded };
  return { model: model_name, version: model_version, id, outputs: read, served };
}

/** Integers of 64 bits come as `bigint`, which OpenAPI has no word for. */
const LosslessAnswer = InferAnswer.extend({
  outputs: z.array(InferAnswer.shape.outputs.element.extend({ data: z.array(z.unknown()).optional() })),
});

/** Piece by piece. Ending the iteration ends the work; a stream that breaks off, or says that it failed, is a failure. */
async function* generateStream(http: Http, ask: GenerateAsk): AsyncGenerator<GenerateStreamEvent, void> {
  const stream = await http.stream({ ...generateOf(ask, "generate_stream"), signal: ask.signal });
  let isOver = false;
  for await (const data of dataOfEvents(stream)) {
    const event = StreamData.parse(JSON.parse(data));
    if ("error" in event) throw new Failure("engine_failed", event.error);
    isOver = event.details?.finish_reason !== undefined;
    yield event;
  }
  if (!isOver) throw new Failure("engine_failed", "The stream broke off.");
}

const StreamData = z.union([z.object({ error: z.string() }), GenerateStreamEvent]);

function generateOf(ask: GenerateAsk, action: string) {
  const { id, text, parameters, headers = {} } = ask;
  return { method: "POST", path: ["v2", ...pathOf(ask), action], body: { id, text_input: text, parameters }, headers } as const;
}

function pathOf({ model, version }: OipModel): string[] {
  return ["models", model, ...(version === undefined ? [] : ["versions", String(version)])];
}

/** Whether it is so; what is unavailable is not. */
async function holds(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (cause) {
    if (cause instanceof Failure && cause.code === "unavailable") return false;
    throw cause;
  }
}
