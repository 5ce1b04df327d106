import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createTables } from "../../shared/dynamo/create-tables.ts";
import { createSdkDynamo } from "../../shared/dynamo/sdk.ts";
import { type Asked, BUCKET_MS, type LimiterReport, POLICIES } from "./limits-plan.ts";
import { type Part, startPart, stopProcess } from "./processes.ts";

const PROCESSES = 4;
const BAR = 0.9;
/** One of four is stopped and goes on, a fifth joins, one leaves. */
const STOP_MS = 3_000;
const STAGE_MS = 4_000;

const part = (name: string) => fileURLToPath(new URL(`./parts/${name}`, import.meta.url));

/** Credits granted in each bucket of time, over all processes. */
type Buckets = Map<number, number>;
type Fleet = { readonly buckets: readonly Buckets[]; readonly costs: Map<ChildProcess, Omit<LimiterReport, "granted">> };

/**
 * Limiters of several gateways over one store, asked for three times what each policy allows, while one is stopped and goes on, one joins and one leaves.
 * What they admit is held against the exact cap, `burst + rate · time`, and every window of the run against the stated bound.
 */
export async function benchLimits() {
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "bench";
  const store = await startPart(part("stub-store.ts"), { args: ["stub"] });
  const fleet: Fleet = { buckets: POLICIES.map(() => new Map()), costs: new Map() };
  try {
    await run(store, fleet);
  } finally {
    await Promise.all([...fleet.costs.keys()].map(stopProcess));
    await store.stop();
  }
  report(fleet);
}

async function run(store: Part, fleet: Fleet) {
  const endpoint = `http://127.0.0.1:${store.port}`;
  const dynamo = createSdkDynamo({ region: "us-east-1", tablePrefix: "weir", endpoint });
  await createTables(dynamo);
  await dynamo.close();
  const join = () => startLimiter(endpoint, fleet);
  const [stopped, leaving] = Array.from({ length: PROCESSES }, join);
  await sleep(2 * STAGE_MS);
  stopped?.kill("SIGSTOP");
  await sleep(STOP_MS);
  stopped?.kill("SIGCONT");
  await sleep(STAGE_MS);
  join();
  await sleep(STAGE_MS);
  if (leaving !== undefined) await stopProcess(leaving);
  await sleep(STAGE_MS);
  await Promise.all([...fleet.costs.keys()].map(stopProcess));
}

function startLimiter(endpoint: string, { buckets, costs }: Fleet): ChildProcess {
  const env = { PATH: process.env["PATH"], AWS_ACCESS_KEY_ID: "bench", AWS_SECRET_ACCESS_KEY: "bench" };
  const child = fork(part("limiter.ts"), [endpoint, String(1 / PROCESSES)], { env });
  costs.set(child, { writes: 0, reads: 0, firstAskMs: Number.POSITIVE_INFINITY });
  child.on("message", ({ granted, ...cost }: LimiterReport) => {
    costs.set(child, cost);
    for (const [policy, bucket, credits] of granted) {
      const own = buckets[policy];
      own?.set(bucket, (own.get(bucket) ?? 0) + credits);
    }
  });
  return child;
}

type Figures = { readonly admitted: number; readonly ratio: number; readonly excess: number };

function report({ buckets, costs }: Fleet) {
  const fromMs = Math.min(...[...costs.values()].map(({ firstAskMs }) => firstAskMs));
  const figures = POLICIES.map((asked, index) => figuresOf(asked, buckets[index] ?? new Map(), fromMs));
  console.table(
    POLICIES.map(({ policy, rate, used, isJudged }, index) => ({
      policy: `${policy.name}, ${rate}/s, burst ${policy.quota}`,
      admitted: figures[index]?.admitted,
      "÷ exact cap": figures[index]?.ratio.toFixed(3),
      "above the bound": figures[index]?.excess.toFixed(0),
      requests: Math.round((figures[index]?.admitted ?? 0) / used),
      judged: isJudged,
    })),
  );
  const requests = POLICIES.reduce((sum, { used }, index) => sum + (figures[index]?.admitted ?? 0) / used, 0);
  const sum = (of: "writes" | "reads") => [...costs.values()].reduce((total, each) => total + each[of], 0);
  console.log(
    `${(sum("writes") / requests).toFixed(3)} writes and ${(sum("reads") / requests).toFixed(3)} reads of the store for each admitted request`,
  );
  const judged = figures.filter((_, index) => POLICIES[index]?.isJudged).map(({ ratio }) => ratio);
  console.log(`bench limits ratio=${Math.min(...judged).toFixed(3)} bar=${BAR}`);
  if (figures.some(({ ratio }) => ratio > 1) || figures.some(({ excess }) => excess > 0)) {
    console.error("More was admitted than the limits allow.");
    process.exitCode = 1;
  }
}

/** The cap counts from when the first limiter began: its first lease is older than the first admission. */
function figuresOf({ policy, rate }: Asked, buckets: Buckets, fromMs: number): Figures {
  const times = [...buckets.keys()].toSorted((a, b) => a - b);
  const lastMs = ((times.at(-1) ?? 0) + 1) * BUCKET_MS;
  const admitted = [...buckets.values()].reduce((sum, credits) => sum + credits, 0);
  const cap = policy.quota + (rate * (lastMs - fromMs)) / 1_000;
  return { admitted, ratio: admitted / cap, excess: worstExcess({ policy, rate }, { buckets, times }) };
}

/** By how much the fullest of all windows goes beyond `burst + rate · (window + lease life)`; the processes share one clock. */
function worstExcess(
  { policy, rate }: Pick<Asked, "policy" | "rate">,
  { buckets, times }: { buckets: Buckets; times: readonly number[] },
): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const [index, from] of times.entries()) {
    let credits = 0;
    for (const to of times.slice(index)) {
      credits += buckets.get(to) ?? 0;
      const windowMs = (to - from + 1) * BUCKET_MS;
      worst = Math.max(worst, credits - policy.quota - (rate * (windowMs + policy.leaseLifeMs)) / 1_000);
    }
  }
  return worst;
}
