import { Hono } from "hono";
import * as z from "zod";
import { FailureAnswer } from "../shared/base/failure.ts";
import { REVOCATION_BOUND_MS } from "../shared/keys/revocation.ts";
import type { Deps } from "./deps.ts";
import type { EdgeEnv } from "./env.ts";
import { requireScope } from "./middleware/authenticate.ts";
import type { PathGroup } from "./openapi.ts";
import { VERSION } from "./version.ts";

type MetricsDeps = Pick<Deps, "breakers" | "clock" | "config" | "isReady" | "revocation">;

/** One gauge with its values; a value that nobody knows is left out. */
type Gauge = {
  readonly name: string;
  readonly help: string;
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number | undefined }[];
};

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * `/metrics`, in Prometheus' text form. A handful of gauges is written by hand: the known client keeps a registry in module state and
 * collects twenty of Node's own figures on a timer, which a gateway that sleeps would be woken for.
 */
export function metricsRoutes(deps: MetricsDeps) {
  const startedAtMs = deps.clock.nowMs();
  return new Hono<EdgeEnv>().get("/", requireScope("operate", "view"), async (c) => {
    const gauges = await gaugesOf(deps, startedAtMs);
    return c.body(`${gauges.map(textOf).join("\n")}\n`, 200, { "Content-Type": CONTENT_TYPE });
  });
}

async function gaugesOf(deps: MetricsDeps, startedAtMs: number): Promise<Gauge[]> {
  const [isReady, revocation] = await Promise.all([deps.isReady(), deps.revocation.read()]);
  const { acceptedForMs, at, problem } = revocation ?? {};
  const gauge = (name: string, help: string, value: number | undefined): Gauge => ({ name, help, values: [{ value }] });
  return [
    { name: "weir_build_info", help: "The version that answers", values: [{ labels: { version: VERSION }, value: 1 }] },
    gauge("process_start_time_seconds", "When this gateway was composed", startedAtMs / 1000),
    gauge("process_resident_memory_bytes", "Of this gateway", process.memoryUsage.rss()),
    gauge("weir_ready", "1 if the store answers and the clock is sound", Number(isReady)),
    {
      name: "weir_pool_breaker_open",
      help: "1 while this gateway leaves a pool alone",
      values: deps.config.WEIR_POOLS.map(({ name }) => ({
        labels: { pool: name },
        value: Number(deps.breakers.poolOf(name).state === "open"),
      })),
    },
    gauge("weir_revocation_seconds", "For how long the canary's revoked key was still taken", seconds(acceptedForMs)),
    gauge("weir_revocation_bound_seconds", "What is promised of it", REVOCATION_BOUND_MS / 1000),
    gauge("weir_revocation_measured_timestamp_seconds", "When that was measured", at === undefined ? undefined : Date.parse(at) / 1000),
    gauge("weir_revocation_failed", "1 if the last measurement failed", at === undefined ? undefined : Number(problem !== undefined)),
  ];
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

function textOf({ name, help, values }: Gauge): string {
  const lines = values.filter(({ value }) => value !== undefined).map(({ labels, value }) => `${name}${labelsOf(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines].join("\n");
}

function labelsOf(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

export const metricsPaths: PathGroup = {
  name: "metrics",
  summary: "For Prometheus and whatever reads its form",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/metrics",
      summary: "Gives gauges, among them how long the canary's revoked key was still taken",
      scope: "operate",
      answer: { status: 200, summary: "The gauges", schema: z.string(), contentType: "text/plain" },
    },
  ],
};
