import type { Refused } from "../../shared/limits/limiter.ts";
import type { CreditPolicy } from "../../shared/limits/policy.ts";
import type { Deps } from "../deps.ts";
import { limitFailure, tellLimits } from "../rate-limit-headers.ts";
import type { Billed, Sizes } from "./admit.ts";
import type { Call } from "./serve.ts";

/** Of a request's body; so much is taken for an input token until a tokenizer has counted. */
const BYTES_PER_TOKEN = 4;
/** New tokens of a choice, where only a foreign engine knows its limit. */
const ENGINE_TOKENS_ESTIMATE = 1_024;

/**
 * Holds a request that has been understood to its tenant's and its key's tokens per minute and requests at the same time. Answers what is to be told once the
 * request has ended: then its slots are free and its estimate becomes what it really used, which is nothing if it is not billed. Undefined if no policy holds it.
 */
export async function limitWork(deps: Deps, call: Call, sizes: () => Sizes): Promise<((billed: Billed | undefined) => void) | undefined> {
  const { policies } = call.principal;
  const { tokens, slots } = policies;
  if (tokens.length === 0 && slots.length === 0) return undefined;
  const refuse = (refused: Refused) => {
    tellLimits(call.tell, deps, { policies, refused });
    return limitFailure(refused);
  };
  const held = await deps.slots.take(slots);
  if (!held.isAdmitted) throw refuse(held);
  try {
    const taken = await deps.limiter.take(tokens, tokens.length === 0 ? 0 : estimateOf(call, sizes(), tokens));
    if (!taken.isAdmitted) throw refuse(taken);
    tellLimits(call.tell, deps, { policies });
    return (billed) => {
      deps.slots.release(held);
      deps.limiter.correct(taken, billed === undefined ? 0 : billed.inputTokens + billed.outputTokens);
    };
  } catch (cause) {
    deps.slots.release(held);
    throw cause;
  }
}

/**
 * A quarter of the body's bytes, and all new tokens that the request may have. The latter count at most what is left of the smallest quota: most requests say no
 * limit and use little of their model's, and what is used beyond the estimate is charged at the end.
 */
function estimateOf({ bodyBytes }: Call, { choices, outputTokensMax }: Sizes, policies: readonly CreditPolicy[]): number {
  const input = Math.max(1, Math.ceil(bodyBytes / BYTES_PER_TOKEN));
  const output = Number.isFinite(outputTokensMax) ? outputTokensMax : choices * ENGINE_TOKENS_ESTIMATE;
  const left = Math.max(0, Math.min(...policies.map(({ quota }) => quota)) - input);
  return input + Math.min(output, left);
}
