import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskRequest } from "../../shared/inference/contract.ts";
import { type Bare, startBare } from "./bare.ts";
import { createTexts, ENCODERS, writeModelFolder } from "./encoders.ts";
import { type BenchFunction, type Caller, measureWork, startFunction, type Work } from "./function.ts";
import { median } from "./load.ts";
import { embedding, MINILM, MINILM_GRAPH, textOf } from "./minilm.ts";
import { cpuSecondsOf, keepOnCore } from "./processes.ts";

const BAR = 0.9;
const SESSIONS = 1;
const ROUNDS = 7;
const ROUND_MS = 700;
/** By then what is compiled as it runs, such as the function itself, is compiled: a server lives for days. */
const WARM_UP_MS = 2_000;
const CALLERS = 8;
const TEXTS_PER_CALL = 8;
const WARM_UP_TOKENS = 64;

type Subject = {
  readonly name: string;
  readonly caller: Caller;
  readonly graph: string;
  readonly lengths: readonly number[];
  /** Texts that the bare side runs together: graphs in 8 bits run one by one on both sides. */
  readonly together: number;
  readonly bodyOf: (tokens: number) => TaskRequest;
};
type Sample = { readonly bare: number; readonly weir: number; readonly ofCpu: number };
type Row = { readonly model: string; readonly tokens: number; readonly bare: number; readonly weir: number; readonly ratio: number };

/**
 * The inference function over HTTP, with tokenizer, queue, task and two hops between processes, against bare onnxruntime-node with the same graph,
 * options, threads and lengths, in turn: MiniLM as it is shipped, and each family's task on a graph of MiniLM's size with random weights.
 *
 * Each side has one process with a session, on one core, and all that it takes besides is on that core too; callers have another.
 */
export async function benchInference(): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), "weir-bench-"));
  const weir = await startFunction({ WEIR_WORKERS: String(SESSIONS) });
  try {
    const isApart = keepOnCore(0, weir.pids()) && keepOnCore(1, [process.pid]);
    if (!isApart) console.log("callers share the cores of what is measured: this machine cannot keep them apart");
    const rows: Row[][] = [];
    for await (const subject of subjectsOf(weir, parent)) rows.push(await measureSubject(weir, subject));
    console.log(`${SESSIONS} session of 1 thread, ${CALLERS} callers of ${TEXTS_PER_CALL} texts; tokens/s:`);
    console.table(rows.flat());
    const ratios = rows.map((some) => some.reduce((sum, { ratio }) => sum + ratio, 0) / some.length);
    for (const [at, ratio] of ratios.entries()) console.log(`bench inference, ${rows[at]?.[0]?.model}: ${ratio.toFixed(2)}`);
    console.log(`bench inference ratio=${Math.min(...ratios).toFixed(2)} bar=${BAR}`);
  } finally {
    await weir.close();
    await rm(parent, { recursive: true });
  }
}

async function* subjectsOf(weir: BenchFunction, parent: string): AsyncGenerator<Subject> {
  const textsOf = (text: string) => new Array<string>(TEXTS_PER_CALL).fill(text);
  const bodyOf = (tokens: number) => embedding(textsOf(textOf(tokens)));
  const caller = await weir.open(MINILM, "q8", bodyOf(WARM_UP_TOKENS));
  yield { name: "MiniLM int8 · embed", caller, graph: MINILM_GRAPH, lengths: [32, 64, 128, 200], together: 1, bodyOf };
  for (const encoder of ENCODERS) {
    const { folder, graph } = await writeModelFolder(parent, encoder);
    const textFor = await createTexts(folder, encoder);
    const bodyFor = (tokens: number) => encoder.requestOf(textsOf(textFor(tokens)));
    const opened = await weir.open(folder, "fp32", bodyFor(WARM_UP_TOKENS));
    const name = `${encoder.family} · ${encoder.head.kind}`;
    yield { name, caller: opened, graph, lengths: [32, 128], together: TEXTS_PER_CALL, bodyOf: bodyFor };
  }
}

async function measureSubject(weir: BenchFunction, subject: Subject): Promise<Row[]> {
  const bare = await startBare(subject.graph, SESSIONS);
  keepOnCore(0, bare.pids());
  try {
    const rows: Row[] = [];
    for (const tokens of subject.lengths) rows.push(rowOf(subject.name, tokens, await samplesOf({ weir, bare }, subject, tokens)));
    return rows;
  } finally {
    await bare.close();
  }
}

async function samplesOf({ weir, bare }: { weir: BenchFunction; bare: Bare }, subject: Subject, tokens: number): Promise<Sample[]> {
  const batches = Array.from({ length: SESSIONS }, () => new Array<number>(subject.together).fill(tokens));
  const body = subject.bodyOf(tokens);
  const load = { callers: CALLERS, nextBody: () => body };
  const runs = {
    bare: (ms: number) => bare.work({ batches, ms }),
    weir: (ms: number) => measureWork(subject.caller, { ...load, ms }),
  };
  for (const run of Object.values(runs)) await run(WARM_UP_MS);
  const samples: Sample[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const one = await measureWithCpu(bare.pids(), () => runs.bare(ROUND_MS));
    const other = await measureWithCpu(weir.pids(), () => runs.weir(ROUND_MS));
    samples.push({ bare: one.perSecond, weir: other.perSecond, ofCpu: other.perCpuSecond / one.perCpuSecond });
  }
  return samples;
}

/** What a side's processes get done, and that per second of their CPU, which others on the machine hardly change. */
async function measureWithCpu(pids: readonly number[], run: () => Promise<Work>) {
  const cpuSeconds = () => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  const cpuBefore = cpuSeconds();
  const { tokensPerSecond, tokens } = await run();
  return { perSecond: tokensPerSecond, perCpuSecond: tokens / (cpuSeconds() - cpuBefore) };
}

function rowOf(model: string, tokens: number, samples: readonly Sample[]) {
  const middle = (of: (sample: Sample) => number) => median(samples.map(of));
  return {
    model,
    tokens,
    bare: Math.round(middle(({ bare }) => bare)),
    weir: Math.round(middle(({ weir }) => weir)),
    ratio: Number(middle(({ bare, weir }) => weir / bare).toFixed(3)),
    "ratio of CPU": Number(middle(({ ofCpu }) => ofCpu).toFixed(3)),
  };
}
