import * as z from "zod";
import { PageQuery } from "../../../shared/base/page.ts";
import type { PathDescription, PathGroup } from "../../openapi.ts";
import { INFER_HEADERS } from "../headers.ts";
import { OipFailure } from "./failure.ts";
import { ModelMetadata, ModelNames, ModelReady, ServerMetadata } from "./metadata.ts";
import { InferRequest } from "./request.ts";
import { InferAnswer } from "./tensors.ts";

const READ = { method: "get", scope: "infer" } as const;
const Live = z.object({ live: z.boolean() });
const Ready = Live.extend({ ready: z.boolean() });

function pathsOfModel(model: string, which: string): PathDescription[] {
  return [
    {
      ...READ,
      path: model,
      summary: `The tensors of ${which}`,
      answer: { status: 200, summary: "Its inputs and outputs", schema: ModelMetadata },
      refusals: ["not_found", "unsupported"],
    },
    {
      ...READ,
      path: `${model}/ready`,
      summary: `Whether ${which} can be called`,
      answer: { status: 200, summary: "It can", schema: ModelReady },
      refusals: ["not_found", "unsupported"],
    },
    {
      method: "post",
      path: `${model}/infer`,
      summary: `Runs ${which}: BYTES \`text\` in, the tensors of its task out. Over-long texts are cut unless the parameter \`truncate\` is false`,
      scope: "infer",
      headers: INFER_HEADERS,
      body: InferRequest,
      answer: { status: 200, summary: "The tensors that were asked for", schema: InferAnswer },
      refusals: ["not_found", "overloaded", "engine_failed", "timeout", "unsupported"],
    },
  ];
}

export const oipPaths: PathGroup = {
  name: "Open Inference Protocol",
  summary:
    "KServe's protocol V2 in JSON; the binary extension is not offered. A version in the path, `/versions/2`, is the model `name@2`.",
  failure: OipFailure,
  paths: [
    {
      method: "get",
      path: "/v2/health/live",
      summary: "Whether the gateway runs",
      answer: { status: 200, summary: "It does", schema: Live },
    },
    {
      method: "get",
      path: "/v2/health/ready",
      summary: "Whether the gateway could serve and meter a request now",
      answer: { status: 200, summary: "It could", schema: Ready },
      refusals: ["unavailable"],
    },
    {
      ...READ,
      path: "/v2",
      summary: "What this server is",
      answer: { status: 200, summary: "Its name and extensions", schema: ServerMetadata },
    },
    {
      ...READ,
      path: "/v2/models",
      summary: "Lists the models that the key's tenant may call here",
      query: PageQuery,
      answer: { status: 200, summary: "One page of names", schema: ModelNames },
    },
    ...pathsOfModel("/v2/models/{model}", "a model"),
    ...pathsOfModel("/v2/models/{model}/versions/{version}", "a version of a model"),
  ],
};
