import { execFileSync } from "node:child_process";
import type { InferenceClient, TaskRequest } from "../../shared/inference/contract.ts";
import type { GenerateRequest } from "../../shared/inference/generation.ts";
import { createRandom } from "../../shared/inference/runtime/generate/random.ts";
import { folderOf, requestFor, type StoredVersion } from "../harness/inference.ts";
import { startFunction } from "./function.ts";

const BAR = 0.9;
const REQUESTS = 100_000;
const CALLERS = 16;
const REQUESTS_PER_SAMPLE = 1_000;
/** Until then heaps, caches and compiled code grow to their size. */
const WARM_UP_SHARE = 0.2;
/** A garbage collection moves a single sample: what is compared are means of so many. */
const SAMPLES_COMPARED = 5;
const SLOPE_REQUESTS = 10_000;
const SEED = 100_000;
const INPUTS_MAX = 8;
const WORDS_MAX = 40;
const NEW_TOKENS_MAX = 12;
const TIMEOUT_MS = 120_000;
const KIB_PER_MIB = 1_024;
const WORDS = "Ada Lovelace worked with Charles Babbage in London on naïve engines , 大型 e\u0301 مرحبا 1843 .".split(" ");

type Body = TaskRequest | GenerateRequest;
type Kind = { readonly fixture: string; readonly bodyOf: (texts: readonly string[], newTokens: number) => Body };
type Sample = { readonly requests: number; readonly mib: readonly number[] };

const KINDS: readonly Kind[] = [
  { fixture: "tiny-bert-embed", bodyOf: (texts) => ({ task: "embed", inputs: asInputs(texts), overlong: "cut" }) },
  { fixture: "tiny-bert-sentiment", bodyOf: (texts) => ({ task: "classify", inputs: asInputs(texts), overlong: "cut" }) },
  { fixture: "tiny-albert-ner", bodyOf: (texts) => ({ task: "tag", texts, aggregation: "simple" }) },
  {
    fixture: "tiny-roberta-qa",
    bodyOf: (texts) => ({ task: "answer", questions: texts.map((context) => ({ question: "Who worked?", context })) }),
  },
  // The mask first, and few words, since fill-mask refuses what is too long.
  { fixture: "tiny-bert-mlm", bodyOf: (texts) => ({ task: "fill", texts: texts.map((text) => `[MASK] ${text.slice(0, WORDS_MAX)}`) }) },
  { fixture: "tiny-gpt2", bodyOf: generation },
];

const asInputs = (texts: readonly string[]) => texts.map((text) => ({ kind: "text", text }) as const);

function generation([text = ""]: readonly string[], newTokens: number): GenerateRequest {
  const prompts = [{ kind: "text", text: text.slice(0, WORDS_MAX) } as const];
  return { task: "generate", prompts, n: 1, maxTokens: newTokens, sampling: { temperature: 1, seed: newTokens }, stop: [] };
}

/** 100,000 requests of all tasks, lengths and numbers of inputs, from callers who ask again as soon as they are answered: memory must stay flat. */
export async function benchSoak(): Promise<void> {
  const weir = await startFunction();
  try {
    const versions: { version: StoredVersion; bodyOf: Kind["bodyOf"] }[] = [];
    for (const { fixture, bodyOf } of KINDS)
      versions.push({ version: await weir.store(folderOf(`test/fixtures/models/${fixture}`), "fp32"), bodyOf });
    const random = createRandom(SEED, 0);
    const upTo = (most: number) => 1 + Math.floor(random() * most);
    const textOf = () => Array.from({ length: upTo(WORDS_MAX) }, () => WORDS[upTo(WORDS.length) - 1]).join(" ");
    const askOne = async () => {
      const { version, bodyOf } = versions[upTo(versions.length) - 1] ?? missing();
      const texts = Array.from({ length: upTo(INPUTS_MAX) }, textOf);
      await answered(weir.client, version, bodyOf(texts, upTo(NEW_TOKENS_MAX)));
    };
    const samples: Sample[] = [];
    const progress = { sent: 0, done: 0 };
    const askOn = async () => {
      while (progress.sent < REQUESTS) {
        progress.sent += 1;
        await askOne();
        progress.done += 1;
        if (progress.done % REQUESTS_PER_SAMPLE === 0) samples.push({ requests: progress.done, mib: weir.pids().map(residentMib) });
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, askOn));
    report(samples);
  } finally {
    await weir.close();
  }
}

function missing(): never {
  throw new Error("there is a kind for each number that is drawn");
}

/** Waits for the whole answer; any failure ends the benchmark. */
async function answered(client: InferenceClient, version: StoredVersion, body: Body): Promise<void> {
  const limits = { signal: new AbortController().signal, timeoutMs: TIMEOUT_MS };
  if (body.task !== "generate") return void (await client.run(requestFor(version, body), limits));
  const { manifestDigest, dtype } = version;
  const requestId = crypto.randomUUID();
  const call = { requestId, tenant: "demo", model: "model", version: 1, manifestDigest, dtype, body };
  for await (const event of client.generate(call, limits)) if (event.kind === "done") return;
  throw new Error("a generation ended without its last event");
}

function residentMib(pid: number): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / KIB_PER_MIB;
}

function report(samples: readonly Sample[]): void {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const [start, end] = [warm.slice(0, SAMPLES_COMPARED), warm.slice(-SAMPLES_COMPARED)];
  const names = ["the function", ...(warm[0]?.mib.slice(1) ?? []).map((_, at) => `worker ${at + 1}`)];
  console.log(`${REQUESTS} requests of ${KINDS.length} tasks, ${CALLERS} callers; RSS in MiB:`);
  console.table(
    names.map((process, at) => ({
      process,
      "at 20 %": Math.round(mean(start.map(({ mib }) => mib[at] ?? Number.NaN))),
      "at the end": Math.round(mean(end.map(({ mib }) => mib[at] ?? Number.NaN))),
      [`per ${SLOPE_REQUESTS} requests`]: Number(
        slopeOf(warm.map(({ requests, mib }) => ({ x: requests, y: mib[at] ?? Number.NaN }))).toFixed(2),
      ),
    })),
  );
  const totals = warm.map(({ requests, mib }) => ({ x: requests, y: mib.reduce((sum, each) => sum + each, 0) }));
  console.log(`RSS of all: ${slopeOf(totals).toFixed(2)} MiB per ${SLOPE_REQUESTS} requests after the first ${REQUESTS * WARM_UP_SHARE}`);
  const ofAll = (some: readonly Sample[]) => mean(some.map(({ mib }) => mib.reduce((sum, each) => sum + each, 0)));
  console.log(`bench soak ratio=${(ofAll(start) / ofAll(end)).toFixed(2)} bar=${BAR}`);
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** By least squares, over so many requests. */
function slopeOf(points: readonly { readonly x: number; readonly y: number }[]): number {
  const [meanX, meanY] = [mean(points.map(({ x }) => x)), mean(points.map(({ y }) => y))];
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return (SLOPE_REQUESTS * covariance) / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}
