import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { createThreadCoders, type OpenedModel } from "../../shared/inference/engine/coder-thread.ts";
import { folderOf } from "../harness/inference.ts";
import { median } from "./load.ts";

const ENCODER = folderOf("cdk/local/models/all-minilm-l6-v2");
const DECODER = folderOf("cdk/local/models/smollm2-135m-instruct");
const TEXT_UNITS = 1024 ** 2;
const HELD_MS_BAR = 10;
const TICK_MS = 1;
const REST_MS = 500;
const SMALL_CALLS = 2_000;
const SMALL_ROUNDS = 5;
const SMALL = [{ kind: "text", text: "Ada Lovelace worked with Charles Babbage in London in 1843." }] as const;

const repeated = (part: string) => part.repeat(Math.ceil(TEXT_UNITS / part.length)).slice(0, TEXT_UNITS);
const TEXTS = { words: repeated("word "), mixed: repeated("Ada naïve 大型 e\u0301 مرحبا ".normalize()), "one word": repeated("x") };

type Row = { readonly work: string; readonly tookMs: number; readonly heldMs: number; readonly delayMs: number };

/** How long tokenisers' work holds up the event loop of whoever asks for it: reading tokenizers, texts of a megabyte, conversations. */
export async function benchTokenising() {
  const coders = createThreadCoders();
  try {
    const rows: Row[] = [await measure("nothing at all", () => sleep(REST_MS))];
    const opened: OpenedModel[] = [];
    for (const [name, folder] of Object.entries({ MiniLM: ENCODER, SmolLM2: DECODER }))
      rows.push(await measure(`read the tokenizer of ${name}`, async () => opened.push(await coders.open(folder))));
    const [encoder, decoder] = opened;
    if (encoder === undefined || decoder === undefined) throw new Error("both tokenizers were opened");
    for (const [kind, text] of Object.entries(TEXTS)) rows.push(...(await measureText({ encoder, decoder }, kind, text)));
    console.table(rows.map(({ work, ...figures }) => ({ work, ...roundedOf(figures) })));
    await measureSmall(encoder);
    // CPU time of this thread between two ticks: how long it was held, whatever else the machine does. The delay of the tick holds that as well.
    const worstMs = Math.max(...rows.slice(1).map(({ heldMs }) => heldMs));
    console.log(`bench tokenising ratio=${(HELD_MS_BAR / worstMs).toFixed(2)} bar=1`);
  } finally {
    await coders.close();
  }
}

async function measureText({ encoder, decoder }: Record<"encoder" | "decoder", OpenedModel>, kind: string, text: string): Promise<Row[]> {
  const input = [{ kind: "text", text }] as const;
  const chat = [{ role: "user", content: text.slice(0, decoder.settings.tokensMax) }];
  return [
    await measure(`1 MB, ${kind}: cut`, () => encoder.coder.encode(input, { overlong: "cut" })),
    await measure(`1 MB, ${kind}: in windows`, () => encoder.coder.locate(input, { overlong: "windows", stride: 32 })),
    await measure(`a chat, ${kind}`, () => decoder.coder.prompt([chat])),
  ];
}

async function measure(work: string, run: () => Promise<unknown>): Promise<Row> {
  const delays = monitorEventLoopDelay({ resolution: TICK_MS });
  let heldMs = 0;
  let last = process.threadCpuUsage();
  const ticks = setInterval(() => {
    const spent = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    heldMs = Math.max(heldMs, (spent.user + spent.system) / 1_000);
  }, TICK_MS);
  delays.enable();
  const startedAtMs = performance.now();
  await run();
  const tookMs = performance.now() - startedAtMs;
  await sleep(2 * TICK_MS); // the tick that would have come during the last bit of work
  clearInterval(ticks);
  delays.disable();
  return { work, tookMs, heldMs, delayMs: delays.max / 1e6 };
}

/** What a small call costs: time, and CPU of the caller's thread and of all. */
async function measureSmall({ coder }: OpenedModel) {
  const rounds: { wallUs: number; callerUs: number; allUs: number }[] = [];
  for (let round = 0; round < SMALL_ROUNDS; round += 1) {
    const [startedAtMs, caller, all] = [performance.now(), process.threadCpuUsage(), process.cpuUsage()];
    for (let call = 0; call < SMALL_CALLS; call += 1) await coder.encode(SMALL, { overlong: "cut" });
    const perCall = ({ user, system }: NodeJS.CpuUsage) => (user + system) / SMALL_CALLS;
    rounds.push({
      wallUs: ((performance.now() - startedAtMs) * 1_000) / SMALL_CALLS,
      callerUs: perCall(process.threadCpuUsage(caller)),
      allUs: perCall(process.cpuUsage(all)),
    });
  }
  const middle = (key: "wallUs" | "callerUs" | "allUs") => Math.round(median(rounds.map((round) => round[key])));
  console.log(
    `a small call: ${middle("wallUs")} µs, of CPU ${middle("callerUs")} µs in the caller's thread and ${middle("allUs")} µs in all`,
  );
}

function roundedOf(figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(1))]));
}
