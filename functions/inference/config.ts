import { availableParallelism } from "node:os";
import * as z from "zod";
import { INPUTS_MAX } from "../../shared/inference/wire-request.ts";

const count = (most: number) => z.coerce.number().int().min(1).max(most);

const Environment = z.object({
  AWS_REGION: z.string().default("us-east-1"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  WEIR_HOST: z.string().default("127.0.0.1"),
  WEIR_BUCKET: z.string().min(1),
  /** An emulator's URL; absent, the Region's own endpoint. */
  WEIR_S3_ENDPOINT: z.url().optional(),
  /** Where versions' files are kept between starts; this process's alone. */
  WEIR_CACHE_DIR: z.string().min(1),
  WEIR_CACHE_MIB: count(1_000_000).default(8_192),
  WEIR_TIER: z.enum(["cpu", "gpu"]).default("cpu"),
  /** Processes that run models, and threads of one run. On CPUs as many workers as cores with one thread each do the most work. */
  WEIR_WORKERS: count(256).optional(),
  WEIR_THREADS_PER_WORKER: count(256).default(1),
  /** Of all workers' sessions together; each holds its own copy of a model. */
  WEIR_SESSION_MEMORY_MIB: count(10_000_000).default(2_048),
  /** Tokens of one run; an input longer than this is refused. */
  WEIR_BATCH_TOKENS: count(1_000_000).optional(),
  WEIR_BATCH_INPUTS: count(INPUTS_MAX).default(128),
  /** Inputs of all requests that are here; one tenant may have half of them, and the largest request must fit. */
  WEIR_QUEUE_INPUTS_MAX: z.coerce
    .number()
    .int()
    .min(INPUTS_MAX)
    .max(1_000_000)
    .default(4 * INPUTS_MAX),
  /** Whoever would wait longer for a worker is refused at once. */
  WEIR_QUEUE_WAIT_MS_MAX: count(900_000).default(10_000),
  /** Caches of all workers' generations together, choices of one worker at a time, and generations that wait for one. */
  WEIR_GENERATION_MEMORY_MIB: count(10_000_000).default(1_024),
  WEIR_CHOICES_PER_WORKER: count(1_024).default(16),
  WEIR_GENERATIONS_WAITING_MAX: count(100_000).default(256),
  /** A run that takes longer, loading included, is stopped with its worker. */
  WEIR_RUN_TIMEOUT_MS: count(900_000).default(60_000),
  /** How long in-flight requests have after SIGTERM. */
  WEIR_DRAIN_MS: count(900_000).default(25_000),
  /** Lambda's own: where invocations come from, and how many may run at once on managed instances. */
  AWS_LAMBDA_RUNTIME_API: z.string().optional(),
  AWS_LAMBDA_MAX_CONCURRENCY: count(10_000).default(1),
});

/** What a GPU's libraries need to be found by. Workers get nothing else of the environment, least of all credentials. */
const WORKER_VARIABLES = ["PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"];
/** Also the longest input; a GPU wants many tokens in a run. */
const BATCH_TOKENS = { cpu: 1_024, gpu: 16_384 } as const;
/** Measured with graphs of MiniLM's size in 32 bits: on a core, 1,024 tokens at once are a tenth to a fifth slower by the token than 256. */
const BATCH_TOKENS_ENOUGH = { cpu: 256, gpu: undefined } as const;

export type InferenceConfig = ReturnType<typeof readConfig>;

/** Parses the environment once; throws a sentence that names what is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env) {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`The inference function's environment is wrong:\n${z.prettifyError(parsed.error)}`);
  const { WEIR_TIER: tier, ...settings } = parsed.data;
  const workerVariables = Object.entries(environment).filter(([name]) => WORKER_VARIABLES.includes(name));
  return {
    ...settings,
    WEIR_TIER: tier,
    WEIR_WORKERS: settings.WEIR_WORKERS ?? (tier === "gpu" ? 1 : availableParallelism()),
    WEIR_BATCH_TOKENS: settings.WEIR_BATCH_TOKENS ?? BATCH_TOKENS[tier],
    // Whoever says how large a run may be means it.
    batchTokensEnough: settings.WEIR_BATCH_TOKENS === undefined ? BATCH_TOKENS_ENOUGH[tier] : undefined,
    workerEnvironment: Object.fromEntries(workerVariables),
  };
}
