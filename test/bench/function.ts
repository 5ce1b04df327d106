import type { InferenceClient, InferenceResult, TaskRequest } from "../../shared/inference/contract.ts";
import type { Dtype } from "../../shared/models/version.ts";
import { requestFor, type StoredVersion, startInference, storeVersion } from "../harness/inference.ts";
import { startS3 } from "../harness/s3.ts";
import { familyOf } from "./processes.ts";

/** Both sides have this many processes with one thread of ONNX Runtime each. */
export const WORKERS = 2;
/** Requests by which all workers have loaded a version. */
const WARM_UP_REQUESTS = 4 * WORKERS;
const TIMEOUT_MS = 60_000;

export type Caller = { readonly client: InferenceClient; readonly version: StoredVersion };
export type Load = { readonly callers: number; readonly ms: number; readonly nextBody: () => TaskRequest };

/** The inference function as a process with its workers, called over HTTP. */
export type BenchFunction = {
  /** Puts a version into the bucket, and has all workers load it. */
  readonly open: (folder: string, dtype: Dtype, warmUp: TaskRequest) => Promise<Caller>;
  readonly store: (folder: string, dtype: Dtype) => Promise<StoredVersion>;
  /** Of the function's own process and its workers. */
  readonly pids: () => number[];
  readonly client: InferenceClient;
  readonly close: () => Promise<void>;
};

export async function startFunction(environment: Record<string, string> = {}): Promise<BenchFunction> {
  // The S3 engine is in this process; the function alone has credentials in its environment, so these are the bench's own.
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "bench";
  const s3 = await startS3();
  const inference = await startInference(s3, { WEIR_WORKERS: String(WORKERS), ...environment });
  return {
    client: inference.client,
    store: (folder, dtype) => storeVersion(s3, folder, dtype),
    async open(folder, dtype, warmUp) {
      const caller = { client: inference.client, version: await storeVersion(s3, folder, dtype) };
      await Promise.all(Array.from({ length: WARM_UP_REQUESTS }, () => ask(caller, warmUp)));
      return caller;
    },
    pids: () => familyOf(inference.child.pid ?? 0),
    close: async () => {
      await inference.close();
      await s3.close();
    },
  };
}

export function ask({ client, version }: Caller, body: TaskRequest, timeoutMs = TIMEOUT_MS): Promise<InferenceResult> {
  return client.run(requestFor(version, body), { signal: new AbortController().signal, timeoutMs });
}

/** Real tokens per second of `callers` that each ask again as soon as they are answered, for `ms` at least. */
export async function measureLoad(caller: Caller, load: Load): Promise<number> {
  return (await measureWork(caller, load)).tokensPerSecond;
}

/**
 * The same, with the tokens of all that was asked, before and after it was timed as well. Timed is from when every caller has been answered once, so
 * that work which is under way at the end was under way at the start as well, and to an answer: as many for each caller.
 */
export async function measureWork(caller: Caller, load: Load): Promise<Work> {
  let seen: Seen = { tokens: 0, answers: 0, atMs: 0 };
  let start: Seen | undefined;
  let end: Seen | undefined;
  const askOnce = async () => {
    const { inputTokens } = await ask(caller, load.nextBody());
    const tokens = inputTokens.reduce((sum, count) => sum + count, seen.tokens);
    seen = { tokens, answers: seen.answers + 1, atMs: performance.now() };
    if (start !== undefined && isEnough(start, seen, load)) end ??= seen;
  };
  const askOn = async () => {
    while (end === undefined) await askOnce();
  };
  const first = Array.from({ length: load.callers }, askOnce);
  const asking = first.map((answered) => answered.then(askOn));
  await Promise.all(first);
  start = seen;
  await Promise.all(asking);
  if (end === undefined) throw new Error("callers ask until the end is known");
  return { tokensPerSecond: rateBetween(start, end), tokens: seen.tokens };
}

export type Work = { readonly tokensPerSecond: number; readonly tokens: number };
type Seen = { readonly tokens: number; readonly answers: number; readonly atMs: number };

function isEnough(start: Seen, seen: Seen, { callers, ms }: Load): boolean {
  const answers = seen.answers - start.answers;
  return seen.atMs - start.atMs >= ms && answers > 0 && answers % callers === 0;
}

const rateBetween = (start: Seen, end: Seen) => (end.tokens - start.tokens) / ((end.atMs - start.atMs) / 1_000);
