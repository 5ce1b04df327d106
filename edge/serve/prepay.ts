import { sumPicoOf } from "../../shared/billing/balances/lease-cost.ts";
import type { Deps } from "../deps.ts";
import type { PricesInForce } from "../prices.ts";
import type { Asking, Ending, Sizes, Terms } from "./admit.ts";
import { mostPicoOfRequest } from "./max-cost.ts";
import type { Call } from "./serve.ts";

/** New tokens of a choice that are set aside where only a foreign engine knows its limit; what it writes beyond them is charged all the same. */
const ENGINE_TOKENS_ASSUMED = 4_096;

/**
 * Sets aside, on the tenant's prepaid balance, the most that a request can cost, and corrects it when it has ended. Undefined for what costs nothing or is paid
 * afterwards. Fails with `insufficient_funds` before any work is done.
 *
 * No token is shorter than a byte of what was sent, so for our own models, and for engines that keep to the limit they are given, the amount is a true bound:
 * these requests never bring a balance below zero. One to an engine without a limit may, by what it wrote beyond the assumption.
 */
export async function prepay(
  deps: Deps,
  call: Call,
  { prices, ...asking }: Asking & { readonly prices: PricesInForce },
): Promise<Required<Pick<Terms, "lease" | "ended">> | undefined> {
  const { billing, tenant } = call.principal;
  if (billing?.isPrepaid !== true) return undefined;
  const bounded: Asking = { ...asking, sizes: (version) => bound(call, asking.sizes(version)) };
  const mostPico = await mostPicoOfRequest(deps, call, { ...bounded, prices });
  if (mostPico === undefined) throw new Error("a request whose sizes are bounded has no bound");
  if (mostPico === 0n) return undefined;
  const hold = await deps.spender.hold({ tenant, acceptedAtMs: call.acceptedAtMs, book: billing.priceBook, mostPico });
  const { model } = asking.target.version;
  const ended = (ending: Ending) => {
    if (ending === "unknown") return hold.keep();
    if (ending === undefined) return hold.release();
    const entry = prices.entryOf(model, ending.servedVersion);
    hold.settle(sumPicoOf(entry, { ...ending, requests: 1 }));
  };
  return { lease: hold.lease, ended };
}

function bound({ bodyBytes }: Call, sizes: Sizes): Sizes {
  const { inputTokensMax, outputTokensMax, choices } = sizes;
  return {
    ...sizes,
    inputTokensMax: Number.isFinite(inputTokensMax) ? inputTokensMax : bodyBytes,
    outputTokensMax: Number.isFinite(outputTokensMax) ? outputTokensMax : choices * ENGINE_TOKENS_ASSUMED,
  };
}
