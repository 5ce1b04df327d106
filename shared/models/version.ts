import * as z from "zod";
import { sha256Hex } from "../base/hash.ts";
import { NAME_PATTERN } from "../tenants/tenant.ts";

export const FILE_COUNT_MAX = 200;
export const FILE_BYTES_MAX = 50 * 1024 ** 3;
export const PART_BYTES = 8 * 1024 ** 2;

export const ModelName = z.string().regex(NAME_PATTERN, "a model's name is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit");

/** A file's place inside its version: relative, with `/`, and never outside the folder. */
export const FilePath = z
  .string()
  .min(1)
  .max(300)
  .refine(isInsideFolder, "a path must stay inside the model's folder: relative, with /, without . and .., and without control characters");

export const VersionFile = z.object({
  path: FilePath,
  bytes: z.int().min(0).max(FILE_BYTES_MAX),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "sha256 is 64 lowercase hexadecimal digits"),
});
export type VersionFile = z.infer<typeof VersionFile>;

/** The files of a version, checked as a whole: each path once. */
export const VersionFiles = z
  .array(VersionFile)
  .min(1)
  .max(FILE_COUNT_MAX)
  .refine((files) => new Set(files.map((file) => file.path)).size === files.length, "each path may appear once");

/** What a graph's head computes; it decides which tasks a version does (`tasks.ts`). */
export const Head = z.enum(["embed", "classify", "tag", "answer", "fill", "detect", "generate"]);
export type Head = z.infer<typeof Head>;

/** Which of a version's ONNX files runs; the names are those of the Hugging Face layout. */
export const Dtype = z.enum(["fp32", "fp16", "q8", "int8", "uint8", "q4", "q4f16", "bnb4", "q2", "q2f16", "q1", "q1f16"]);
export type Dtype = z.infer<typeof Dtype>;

const Place = z.object({ pool: z.string().regex(NAME_PATTERN), dtype: Dtype });

/** What answers when a version's own place cannot: the same version elsewhere or by another file, or another version of the model in its own place. */
export const Fallback = z.union([z.strictObject(Place.shape), z.strictObject({ version: z.int().positive() })]);
export type Fallback = z.infer<typeof Fallback>;

export const FALLBACKS_MAX = 4;

/** Where a version runs: the pool's name (a deployed inference function) and which file of it; and what answers instead, in this order. */
export const Placement = Place.extend({
  fallbacks: z.array(Fallback).max(FALLBACKS_MAX).optional().meta({ description: "What answers when the pool cannot, in this order" }),
});
export type Placement = z.infer<typeof Placement>;

/** A tensor of the bare graph; a dimension of -1 depends on the input. */
export const TensorFacts = z.object({ name: z.string(), type: z.string(), dims: z.array(z.int()) });
export type TensorFacts = z.infer<typeof TensorFacts>;

/** How far another variant's numbers were from those of the placed one in the golden run: the largest difference, and the smallest cosine of a row. */
export const Drift = z.object({ dtype: Dtype, deltaMax: z.number(), cosineMin: z.number(), error: z.string().optional() });
export type Drift = z.infer<typeof Drift>;

/** What intake learned of a version by loading and running it. */
export const VersionFacts = z.object({
  head: Head,
  family: z.string(),
  /** The longest input that the model reads, in tokens with its special ones. */
  tokensMax: z.int().positive(),
  /** Elements of one vector (`embed`), or the labels in the order of the head's outputs (`classify`). */
  dimensions: z.int().positive().optional(),
  labels: z.array(z.string()).optional(),
  dtypes: z.array(Dtype).min(1),
  /** Whether it has a template for conversations. */
  chats: z.boolean().optional(),
  /** The bare graph's tensors, without a decoder's cache. */
  graph: z.object({ inputs: z.array(TensorFacts), outputs: z.array(TensorFacts) }).optional(),
  drift: z.array(Drift).optional(),
});
export type VersionFacts = z.infer<typeof VersionFacts>;

/** What a gateway needs to call an OpenAI-compatible engine; only operators may set it. */
export const Upstream = z.object({
  /** The engine's base URL, such as `http://10.0.3.7:8000/v1`. */
  url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .refine(isPlainBase, "a base URL has no user, query or fragment: a secret belongs into the environment, and the rest would be lost")
    .meta({ description: "By https at a public address, or at an origin that the installation names" }),
  /** What the engine calls the model. */
  model: z.string().min(1).max(200),
  /** The prefix keeps other secrets out of reach. */
  credential: z
    .string()
    .regex(/^WEIR_UPSTREAM_[A-Z0-9_]{1,60}$/, "a credential is named WEIR_UPSTREAM_…")
    .optional()
    .meta({
      description: "The gateway's variable with the engine's key, which is sent to the origins that it is bound to and to no others",
    }),
  tellsUsageThroughout: z.boolean().optional().meta({
    description:
      "It takes `stream_options.continuous_usage_stats`, as vLLM and SGLang do: cut streams are billed by its own counts, and not by an estimate",
  }),
});
export type Upstream = z.infer<typeof Upstream>;

const VersionBase = z.object({
  model: ModelName,
  number: z.int().positive(),
  /** SHA-256 over the sorted file list: the same content is the same version. For an upstream, over its settings. */
  contentDigest: z.string(),
});

/** A version's life: `checking` → `ready` | `rejected`. Its content never changes, only what is known of it. */
export const Version = z.discriminatedUnion("state", [
  VersionBase.extend({ state: z.literal("checking"), files: VersionFiles, placement: Placement }),
  VersionBase.extend({ state: z.literal("rejected"), files: VersionFiles, placement: Placement, reason: z.string() }),
  VersionBase.extend({
    state: z.literal("ready"),
    files: VersionFiles,
    placement: Placement,
    facts: VersionFacts,
    /** SHA-256 of the manifest, which is stored under that name. */
    manifestDigest: z.string(),
  }),
  VersionBase.extend({ state: z.literal("upstream"), upstream: Upstream }),
]);
export type Version = z.infer<typeof Version>;
export type ReadyVersion = Extract<Version, { state: "ready" }>;
export type UpstreamVersion = Extract<Version, { state: "upstream" }>;

/** What an inference function loads: written to the blob store last, under its own digest, and never changed. */
export const Manifest = z.object({
  schema: z.literal(1),
  model: ModelName,
  number: z.int().positive(),
  contentDigest: z.string(),
  files: VersionFiles,
  facts: VersionFacts,
});
export type Manifest = z.infer<typeof Manifest>;

/** The group that lists all models. */
export const MODEL_GROUP = "models";

/** A named family of versions, and who may use it. */
export const Model = z.object({
  name: ModelName,
  /** Tenants that may see and call it; `*` is every tenant. */
  tenants: z.union([z.literal("*"), z.array(z.string()).max(1000)]),
});
export type Model = z.infer<typeof Model>;

export function isVisibleTo(model: Model, tenant: string): boolean {
  return model.tenants === "*" || model.tenants.includes(tenant);
}

/** The digest that makes two publications of the same files one version, whatever order they were listed in. */
export function contentDigestOf(files: readonly VersionFile[]): string {
  const lines = files.map((file) => `${file.sha256} ${file.bytes} ${file.path}`);
  return sha256Hex(lines.sort().join("\n"));
}

/** Keys in the bucket. Only intake writes below `blobs/` and `manifests/`, after it has hashed every byte. */
export const blobKey = (sha256: string) => `blobs/${sha256}`;
export const manifestKey = (digest: string) => `manifests/${digest}.json`;
/** A file arrives as parts: ordinary objects that can be listed, so that an upload resumes without any upload id to remember. */
export const incomingKey = (sha256: string, part: number) => `${incomingPrefix(sha256)}${String(part).padStart(5, "0")}`;
export const incomingPrefix = (sha256: string) => `incoming/${sha256}/`;

function isPlainBase(url: string): boolean {
  const parsed = URL.parse(url); // what is no URL at all has been refused as such
  return parsed === null || [parsed.username, parsed.password, parsed.search, parsed.hash].every((part) => part === "");
}

function isInsideFolder(path: string): boolean {
  // Digests join paths by lines and terminals show them, so no path holds a line break or an escape.
  return !/[\\\p{Cc}]/u.test(path) && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
