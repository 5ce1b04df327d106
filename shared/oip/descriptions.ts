import * as z from "zod";
import { Datatype } from "./datatype.ts";

/** `GET /v2` */
export const ServerMetadata = z
  .object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })
  .meta({ id: "ServerMetadata" });

/** `GET /v2/models`, KServe's. */
export const ModelNames = z.object({ models: z.array(z.string()), nextCursor: z.string().optional() }).meta({ id: "ModelNames" });

/** What a tensor is, before any data: -1 is any size. */
export const TensorMetadata = z.object({ name: z.string(), datatype: Datatype, shape: z.array(z.int()) }).meta({ id: "TensorMetadata" });

/** `GET /v2/models/{m}` */
export const ModelMetadata = z
  .object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z
      .array(TensorMetadata)
      .meta({ description: "Those of the head's own task, then those of the bare graph; a request uses one of the two" }),
    outputs: z.array(TensorMetadata),
    properties: z.record(z.string(), z.string()).meta({
      description:
        "`tasks`: the names of inputs and outputs of every task that the version does, as JSON, its own first; `labels`: the head's labels in the order of `scores`, as JSON; `chats`: that it has a template for conversations",
    }),
  })
  .meta({ id: "ModelMetadata" });
export type ModelMetadata = z.infer<typeof ModelMetadata>;

/** `GET /v2/models/{m}/ready` */
export const ModelReady = z.object({ name: z.string(), ready: z.literal(true) }).meta({ id: "ModelReady" });

const ConfigTensor = z.object({ name: z.string(), data_type: z.string(), dims: z.array(z.int()) });
export type ConfigTensor = z.infer<typeof ConfigTensor>;
const ConfigInput = ConfigTensor.extend({
  format: z.literal("FORMAT_NONE"),
  optional: z.literal(true).meta({ description: "Inputs are those of two levels, of which a request uses one" }),
});

/** The part of Triton's ModelConfig that has a meaning here, in its JSON form. */
export const ModelConfig = z
  .object({
    name: z.string(),
    platform: z.literal("onnxruntime_onnx"),
    backend: z.literal("onnxruntime"),
    version_policy: z.object({ specific: z.object({ versions: z.array(z.int()) }) }),
    max_batch_size: z.int(),
    input: z.array(ConfigInput),
    output: z.array(ConfigTensor),
    default_model_filename: z.string(),
    parameters: z.record(z.string(), z.object({ string_value: z.string() })),
  })
  .meta({ id: "ModelConfig" });
export type ModelConfig = z.infer<typeof ModelConfig>;

const Duration = z.object({ count: z.int(), ns: z.int() });
export type Duration = z.infer<typeof Duration>;
export const ModelStatistics = z.object({
  name: z.string(),
  version: z.string(),
  last_inference: z.int().meta({ description: "Milliseconds since 1970; 0 if there was none" }),
  inference_count: z.int().meta({ description: "Inputs of successful requests" }),
  execution_count: z.int().meta({ description: "Successful requests: how they were batched is not known here" }),
  inference_stats: z.object({
    ...{ success: Duration, fail: Duration, queue: Duration },
    ...{ compute_input: Duration, compute_infer: Duration, compute_output: Duration },
    ...{ cache_hit: Duration, cache_miss: Duration },
  }),
  batch_stats: z.array(z.unknown()),
});
export type ModelStatistics = z.infer<typeof ModelStatistics>;

/** Triton's statistics extension. */
export const Statistics = z.object({ model_stats: z.array(ModelStatistics) }).meta({ id: "Statistics" });
export type Statistics = z.infer<typeof Statistics>;

const IndexEntry = z.object({ name: z.string(), version: z.string(), state: z.enum(["READY", "UNAVAILABLE"]), reason: z.string() });
export type IndexEntry = z.infer<typeof IndexEntry>;

/** Triton's model repository extension. */
export const RepositoryIndex = z.array(IndexEntry).meta({ id: "RepositoryIndex" });
export const Loaded = z.object({ name: z.string(), load: z.literal(true) }).meta({ id: "RepositoryLoaded" });
