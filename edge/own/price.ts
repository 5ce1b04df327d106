import { Hono } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import { PriceQuestion, PriceQuote, quote } from "../../shared/billing/prices/quote.ts";
import type { Tier } from "../../shared/usage/row.ts";
import type { Target } from "../catalog.ts";
import type { Deps } from "../deps.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { readJson } from "../http.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathGroup } from "../openapi.ts";
import { poolOf } from "../serve/serve.ts";

type QuoteDeps = Pick<Deps, "catalog" | "clock" | "pools" | "prices">;

/** `/v1/price`: what a request would cost, before it is sent. */
export function priceQuoteRoutes(deps: QuoteDeps) {
  return new Hono<EdgeEnv>().post("/", requireScope("infer", "usage"), async (c) => c.json(await quoteRequest(deps, c)));
}

async function quoteRequest(deps: QuoteDeps, c: EdgeContext): Promise<PriceQuote> {
  const { model: reference, maxOutputTokens, computeMs, ...asked } = await readJson(c, PriceQuestion);
  const principal = c.get("principal");
  const target = await deps.catalog.resolve({ reference, caller: principal, unit: `${principal.tenant}\n${principal.keyId}` });
  const { model, number } = target.version;
  const inputTokens = asked.inputTokens ?? inputTokensMax(target, asked.inputs);
  const question = { model: `${model}@${number}`, tier: asked.tier ?? tierOf(deps, target), inputTokens, maxOutputTokens, computeMs };
  const { billing } = principal;
  const prices = billing && (await deps.prices.inForce(billing.priceBook, deps.clock.nowMs()));
  const ofModel = prices && { ...prices, entry: prices.entryOf(model, number), discountBps: billing.discountBps };
  return quote(question, ofModel, billing?.priceBook);
}

function inputTokensMax({ version }: Target, inputs: number): number {
  if (version.state === "ready") return inputs * version.facts.tokensMax;
  throw new Failure("invalid_request", "inputTokens: say how many, since a foreign engine reads them", { field: "inputTokens" });
}

function tierOf(deps: QuoteDeps, { version }: Target): Tier {
  return version.state === "ready" ? poolOf(deps, version).tier : "upstream";
}

export const priceQuotePaths: PathGroup = {
  name: "price",
  summary: "What a request would cost",
  failure: OpenaiFailure,
  paths: [
    {
      method: "post",
      path: "/v1/price",
      summary: "Quotes a request before it is sent; a key with the scope `usage` may ask, too",
      scope: "infer",
      body: PriceQuestion,
      answer: { status: 200, summary: "What it would cost at most by itself", schema: PriceQuote },
      refusals: ["not_found"],
    },
  ],
};
