import { readdirSync, readFileSync } from "node:fs";
import { loadWasmRuntime, openWasmSession } from "../../edge/wasm/session.ts";
import { loadModelWith, type Model } from "../../shared/inference/ort/model.ts";
import { openSession } from "../../shared/inference/ort/session.ts";
import type { Session } from "../../shared/inference/runtime/session.ts";
import { ask, finish, startTinyGpt2, TINY_GPT2 } from "../harness/generating.ts";
import { folderOf } from "../harness/inference.ts";
import { answersOf, type Comparison, compare } from "./answer.ts";
import { casesIn, groupsOf, joined, type ParityCase } from "./cases.ts";

/** `npm run parity`: every fixture's answers by PyTorch against ours, on both runtimes, as a table in Markdown. */
type Runtime = { readonly name: string; readonly deltaMax: number; readonly open: (path: string) => Promise<Session> };

const RUNTIMES: readonly Runtime[] = [
  { name: "native", deltaMax: 1e-4, open: (path) => openSession(path, { threads: 1, provider: "cpu" }) },
  { name: "WASM", deltaMax: 1e-3, open: openWasmSession },
];
const MODELS = folderOf("test/fixtures/models");
const NEW_TOKENS = 24;

type Seen = Comparison & { readonly count: number };
type Row = { readonly fixture: string; readonly task: string; readonly seen: readonly Seen[] };

await loadWasmRuntime();
const rows: Row[] = [];
for (const fixture of readdirSync(MODELS)) {
  const files = readdirSync(`${MODELS}/${fixture}`).filter((file) => /^expected.*\.json$/.test(file));
  const cases = files.flatMap((file) => casesIn(JSON.parse(readFileSync(`${MODELS}/${fixture}/${file}`, "utf8"))));
  for (const [task, some] of Map.groupBy(cases, ({ request }) => request.task)) rows.push(await rowOf(fixture, task, some));
}
rows.push(await generationRow());
print(rows);
process.exitCode = rows.every(isRight) ? 0 : 1;

async function rowOf(fixture: string, task: string, cases: readonly ParityCase[]): Promise<Row> {
  const seen: Seen[] = [];
  for (const { open } of RUNTIMES) {
    const model = await loadModelWith(open, `${MODELS}/${fixture}`, "fp32");
    seen.push(await compared(model, cases));
    await model.dispose();
  }
  return { fixture, task, seen };
}

/** Each case alone, and all that can be asked together in one batch. */
async function compared(model: Model, cases: readonly ParityCase[]): Promise<Seen> {
  const comparisons: Comparison[] = [];
  for (const group of [...cases.map((one) => [one]), ...groupsOf(cases)]) {
    const request = joined(group);
    if (request === undefined) throw new Error("the cases of a group ask alike");
    const answers = answersOf((await model.run(request)).body);
    group.forEach(({ expected }, at) => {
      comparisons.push(compare(answers[at] ?? { numbers: [], exact: undefined }, expected));
    });
  }
  return { ...worstOf(comparisons), count: cases.length };
}

function worstOf(comparisons: readonly Comparison[]): Comparison {
  return {
    deltaMax: Math.max(...comparisons.map(({ deltaMax }) => deltaMax)),
    isExact: comparisons.every(({ isExact }) => isExact),
  };
}

/** What transformers continued greedily: ids and text exactly, log-probabilities as numbers. */
async function generationRow(): Promise<Row> {
  type Case = { input_ids: number[]; greedy_ids: number[]; greedy_text: string; greedy_logprobs: number[] };
  const { cases }: { cases: Case[] } = JSON.parse(readFileSync(`${TINY_GPT2}/expected.json`, "utf8"));
  const seen: Seen[] = [];
  for (const { open } of RUNTIMES) {
    const session = await open(`${TINY_GPT2}/onnx/model.onnx`);
    const { generator, close } = await startTinyGpt2({ session });
    const orders = cases.map(({ input_ids }, at) => ({
      id: `${at}`,
      prompts: [Int32Array.from(input_ids)],
      maxTokens: NEW_TOKENS,
      topLogprobs: 0,
    }));
    const answers = await Promise.all(orders.map((order) => ask(generator, order)));
    await finish(generator);
    const comparisons = answers.map(({ choices: [choice] }, at) => {
      const logprobs = choice?.logprobs ?? [];
      const { greedy_ids, greedy_text, greedy_logprobs } = cases[at] ?? { greedy_ids: [], greedy_text: "", greedy_logprobs: [] };
      return compare(
        { numbers: logprobs.map(({ logprob }) => logprob ?? Number.NaN), exact: [logprobs.map(({ token }) => token), choice?.text] },
        { numbers: greedy_logprobs, exact: [greedy_ids, greedy_text] },
      );
    });
    seen.push({ ...worstOf(comparisons), count: cases.length });
    await close();
  }
  return { fixture: "tiny-gpt2", task: "generate", seen };
}

function isRight({ seen }: Row): boolean {
  return seen.every(({ deltaMax, isExact }, at) => isExact && deltaMax <= (RUNTIMES[at]?.deltaMax ?? 0));
}

function print(all: readonly Row[]) {
  const head = [
    "fixture",
    "task",
    "cases",
    ...RUNTIMES.flatMap(({ name, deltaMax }) => [`${name} max Δ (${deltaMax})`, "ids, labels, spans"]),
    "verdict",
  ];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  console.log(line(head));
  console.log(line(head.map(() => "---")));
  for (const row of all) {
    const seen = row.seen.flatMap(({ deltaMax, isExact }) => [deltaMax.toExponential(1), isExact ? "exact" : "DIFFER"]);
    console.log(line([row.fixture, row.task, `${row.seen[0]?.count ?? 0}`, ...seen, isRight(row) ? "equal" : "DIFFERENT"]));
  }
}
