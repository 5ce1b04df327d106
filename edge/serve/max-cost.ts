import { Failure } from "../../shared/base/failure.ts";
import { parsePico, printPico } from "../../shared/billing/money.ts";
import { mostPicoOf } from "../../shared/billing/prices/cost.ts";
import type { ReadyVersion } from "../../shared/models/version.ts";
import type { Tier } from "../../shared/usage/row.ts";
import type { Deps } from "../deps.ts";
import { STREAM_TIMEOUT_MS } from "../limits.ts";
import type { PricesInForce } from "../prices.ts";
import type { Asking, Sizes } from "./admit.ts";
import { candidatePlaces } from "./candidates.ts";
import type { Call } from "./serve.ts";

export const MAX_COST_HEADER = "Weir-Max-Cost";

type CostDeps = Pick<Deps, "catalog" | "pools">;
type Costing = Asking & { readonly prices: PricesInForce | undefined };

/** A version that may answer, on a tier, and how much work that is. */
type Way = { readonly version: number; readonly tier: Tier; readonly sizes: Sizes };

/** Refuses a request that could cost more than its caller allows, whoever answers it. Without a price it costs nothing. */
export async function assertMaxCost(deps: CostDeps, call: Call, costing: Costing): Promise<void> {
  const allowedPico = parsePico(call.maxCost ?? "");
  if (allowedPico === undefined) {
    throw refusal("must be a decimal such as 0.01, in the price book's currency: not negative, 12 decimals at most");
  }
  const { prices } = costing;
  if (prices === undefined) return;
  const mostPico = await mostPicoOfRequest(deps, call, { ...costing, prices });
  const { currency } = prices.body;
  if (mostPico === undefined)
    throw refusal("what this request costs at most cannot be told ahead: a foreign engine or its own tensors decide");
  if (mostPico > allowedPico)
    throw refusal(`this request may cost up to ${printPico(mostPico)} ${currency}, more than ${printPico(allowedPico)}`);
}

/** Whatever stands in for the version that the split chose counts too. Undefined if what it takes has a price and no bound. */
export async function mostPicoOfRequest(
  deps: CostDeps,
  call: Call,
  { prices, ...asking }: Asking & { readonly prices: PricesInForce },
): Promise<bigint | undefined> {
  const { model } = asking.target.version;
  let most = 0n;
  for (const { version, tier, sizes } of await waysOf(deps, call, asking)) {
    const entry = prices.entryOf(model, version);
    if (entry === undefined) continue;
    const usage = { tier, inputTokens: sizes.inputTokensMax, outputTokens: sizes.outputTokensMax, computeMs: computeMsMax(call, sizes) };
    const pico = mostPicoOf(entry, usage);
    if (pico === undefined) return undefined;
    if (pico > most) most = pico;
  }
  return most;
}

/** Nothing computes longer than its caller waits; a generation may be a stream, which lasts longer. */
function computeMsMax({ timeoutMs }: Call, { choices }: Sizes): number {
  return choices > 0 ? Math.max(timeoutMs, STREAM_TIMEOUT_MS) : timeoutMs;
}

async function waysOf(deps: CostDeps, call: Call, { target, sizes }: Asking): Promise<Way[]> {
  const { version } = target;
  if (version.state !== "ready") return [{ version: version.number, tier: "upstream", sizes: sizes() }];
  const ways = candidatePlaces(version).map(async (place): Promise<Way[]> => {
    if (place.kind === "own") return wayOn(deps, { version, pool: version.placement.pool, sizes: sizes() });
    if (!("version" in place.fallback)) return wayOn(deps, { version, pool: place.fallback.pool, sizes: sizes() });
    const other = await otherVersion(deps, call, `${version.model}@${place.fallback.version}`);
    return other === undefined ? [] : wayOn(deps, { version: other, pool: other.placement.pool, sizes: sizesFor(sizes, other) });
  });
  return (await Promise.all(ways)).flat();
}

/** A pool that this gateway does not have answers nothing. */
function wayOn({ pools }: CostDeps, way: { version: ReadyVersion; pool: string; sizes: Sizes | undefined }): Way[] {
  const pool = pools.get(way.pool);
  return pool === undefined || way.sizes === undefined ? [] : [{ version: way.version.number, tier: pool.tier, sizes: way.sizes }];
}

/** Whoever stands in but is not there, or cannot do what is asked, is passed over when it is its turn. */
async function otherVersion({ catalog }: CostDeps, { principal, unit }: Call, reference: string): Promise<ReadyVersion | undefined> {
  try {
    const { version } = await catalog.resolve({ reference, caller: principal, unit });
    return version.state === "ready" ? version : undefined;
  } catch (cause) {
    if (cause instanceof Failure) return undefined;
    throw cause;
  }
}

function sizesFor(sizes: Asking["sizes"], version: ReadyVersion): Sizes | undefined {
  try {
    return sizes(version);
  } catch (cause) {
    if (cause instanceof Failure) return undefined;
    throw cause;
  }
}

function refusal(why: string): Failure {
  return new Failure("invalid_request", `${MAX_COST_HEADER}: ${why}`, { field: MAX_COST_HEADER });
}
