import * as z from "zod";
import { PageQuery } from "../../../shared/base/page.ts";
import { GenerateAnswer, GenerateStreamEvent, InferAnswer } from "../../../shared/oip/answers.ts";
import {
  Loaded,
  ModelConfig,
  ModelMetadata,
  ModelNames,
  ModelReady,
  RepositoryIndex,
  ServerMetadata,
  Statistics,
} from "../../../shared/oip/descriptions.ts";
import { HEADER_LENGTH } from "../../../shared/oip/frame.ts";
import type { PathDescription, PathGroup } from "../../openapi.ts";
import { INFER_HEADERS, INFER_REFUSALS, INFERRED_HEADERS } from "../headers.ts";
import { OipFailure } from "./failure.ts";
import { GenerateBody } from "./generate-request.ts";
import { IndexRequest, LoadRequest } from "./repository.ts";
import { InferRequest } from "./request.ts";

const READ = { method: "get", scope: "infer" } as const;
const MODEL_REFUSALS = ["not_found", "unsupported"] as const;
const RUN = {
  method: "post",
  scope: "infer",
  headers: INFER_HEADERS,
  headersOut: INFERRED_HEADERS,
  refusals: [...INFER_REFUSALS, "unsupported"],
} as const satisfies Partial<PathDescription>;
const HEADER = { name: HEADER_LENGTH, summary: "Bytes of JSON before the binary tensors; 0: the body is the only input, raw" };
const Live = z.object({ live: z.boolean() });
const Ready = Live.extend({ ready: z.boolean() });

function readsOfModel(model: string, which: string): PathDescription[] {
  const read = (path: string, summary: string, answer: { summary: string; schema: z.ZodType }): PathDescription => ({
    ...{ ...READ, path: `${model}${path}`, summary },
    answer: { status: 200, ...answer },
    refusals: MODEL_REFUSALS,
  });
  return [
    read("", `The tensors of ${which}`, { summary: "Its inputs and outputs", schema: ModelMetadata }),
    read("/ready", `Whether ${which} can be called`, { summary: "It can", schema: ModelReady }),
    read("/config", `${which} as Triton's clients configure themselves`, { summary: "A ModelConfig", schema: ModelConfig }),
    read("/stats", `What this process served of ${which} to the key's tenant`, { summary: "Counters", schema: Statistics }),
  ];
}

function runsOfModel(model: string, which: string): PathDescription[] {
  return [
    {
      ...{ ...RUN, path: `${model}/infer` },
      summary: `Runs ${which}: BYTES \`text\` in and the tensors of a task out, or the bare graph's tensors in and out. Over-long texts are cut unless \`truncate\` is false`,
      headers: [...INFER_HEADERS, HEADER],
      body: InferRequest,
      binary: "JSON followed by the tensors that it gives a `binary_data_size`; compressed by gzip or deflate if Content-Encoding says so",
      answer: { status: 200, summary: "The tensors that were asked for", schema: InferAnswer },
    },
    {
      ...{ ...RUN, path: `${model}/generate`, body: GenerateBody },
      summary: `Continues a text by ${which}`,
      answer: { status: 200, summary: "The text", schema: GenerateAnswer },
    },
    {
      ...{ ...RUN, path: `${model}/generate_stream`, body: GenerateBody },
      summary: `Continues a text by ${which}, piece by piece; a failure after the first event is an event \`{"error"}\``,
      answer: { status: 200, summary: "Server-sent events", schema: GenerateStreamEvent, contentType: "text/event-stream" },
    },
  ];
}

const REPOSITORY: readonly PathDescription[] = [
  {
    ...{ method: "post", path: "/v2/repository/index", scope: "infer" },
    summary: "Lists the versions that the key's tenant may call here",
    body: IndexRequest,
    isBodyOptional: true,
    answer: { status: 200, summary: "Each with its state", schema: RepositoryIndex },
  },
  {
    ...{ method: "post", path: "/v2/repository/models/{model}/load", scope: "infer" },
    summary: "Says that a model can be called: ready versions are loaded when they are first needed, as they were published",
    body: LoadRequest,
    isBodyOptional: true,
    answer: { status: 200, summary: "It can", schema: Loaded },
    refusals: MODEL_REFUSALS,
  },
  {
    ...{ method: "post", path: "/v2/repository/models/{model}/unload", scope: "infer" },
    summary: "Always refused: idle versions are unloaded by themselves",
    answer: { status: 400, summary: "Why not", schema: OipFailure },
    refusals: MODEL_REFUSALS,
  },
];

const SERVER: readonly PathDescription[] = [
  {
    ...{ method: "get", path: "/v2/health/live" },
    summary: "Whether the gateway runs",
    answer: { status: 200, summary: "It does", schema: Live },
  },
  {
    ...{ method: "get", path: "/v2/health/ready" },
    summary: "Whether the gateway could serve and meter a request now",
    answer: { status: 200, summary: "It could", schema: Ready },
    refusals: ["unavailable"],
  },
  {
    ...{ ...READ, path: "/v2" },
    summary: "What this server is",
    answer: { status: 200, summary: "Its name and extensions", schema: ServerMetadata },
  },
  {
    ...{ ...READ, path: "/v2/models" },
    summary: "Lists the models that the key's tenant may call here",
    query: PageQuery,
    answer: { status: 200, summary: "One page of names", schema: ModelNames },
  },
  {
    ...{ ...READ, path: "/v2/models/stats" },
    summary: "What this gateway process served under `/v2` to the key's tenant since it started; bills are made from the ledger",
    answer: { status: 200, summary: "Counters of every version that was called", schema: Statistics },
  },
];

export const oipPaths: PathGroup = {
  name: "Open Inference Protocol",
  summary:
    "KServe's protocol V2 with Triton's extensions: binary tensors, classification, generate, statistics, model configuration and repository. " +
    "A version in the path, `/versions/2`, is the model `name@2`. FP16 and BF16 may stand in JSON as numbers and are rounded to the nearest; " +
    "places in texts count Unicode characters.",
  failure: OipFailure,
  paths: [
    ...SERVER,
    ...REPOSITORY,
    ...readsOfModel("/v2/models/{model}", "a model"),
    ...runsOfModel("/v2/models/{model}", "a model"),
    ...readsOfModel("/v2/models/{model}/versions/{version}", "a version of a model"),
    ...runsOfModel("/v2/models/{model}/versions/{version}", "a version of a model"),
  ],
};
