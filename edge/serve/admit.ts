import type { ReadyVersion } from "../../shared/models/version.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import type { Target } from "../catalog.ts";
import type { Deps } from "../deps.ts";
import { limitWork } from "./limit-work.ts";
import { assertMaxCost } from "./max-cost.ts";
import { prepay } from "./prepay.ts";
import type { Call } from "./serve.ts";

/** How much work a request is at most, known once its body is read and its target chosen, before any of it is done. */
export type Sizes = {
  readonly task: string;
  readonly inputs: number;
  /** Tokens that are read for all inputs together; infinite where only a foreign engine or a caller's own tensors know. */
  readonly inputTokensMax: number;
  /** Texts that are generated for it; 0 where none are. */
  readonly choices: number;
  /** Tokens of all choices together; infinite where only a foreign engine knows. */
  readonly outputTokensMax: number;
};

/** Of tasks that generate nothing. */
export const READ_ONLY = { choices: 0, outputTokensMax: 0 } as const satisfies Partial<Sizes>;

export type Asking = {
  readonly target: Target;
  /** Computed when it is first asked for: most requests are admitted without. For the target's own version, or for one that may answer in its place. */
  readonly sizes: (version?: ReadyVersion) => Sizes;
};

/** What a request's row says that it used. */
export type Billed = Pick<UsageRow, "outcome" | "servedVersion" | "tier" | "inputs" | "inputTokens" | "outputTokens" | "computeMs">;

/** How a request ended: what is billed, undefined if nothing is, or that nobody knows what became of its row. */
export type Ending = Billed | "unknown" | undefined;

/** On which terms a request is served, fixed before its work. */
export type Terms = {
  /** 0: there is no price book. */
  readonly priceVersion: number;
  /** The lease on a prepaid balance that it draws from; such requests are reserved before their work. */
  readonly lease?: string;
  /** Told once how it ended. Estimates that were taken before are corrected by it. */
  readonly ended?: (ending: Ending) => void;
};

const FREE: Terms = { priceVersion: 0 };

/** Decides whether and on which terms a request may be worked on: what it costs, and what it takes of budgets and limits. */
export async function admit(deps: Deps, call: Call, asking: Asking): Promise<Terms> {
  const { billing } = call.principal;
  const prices = billing === undefined ? undefined : await deps.prices.inForce(billing.priceBook, call.acceptedAtMs);
  // Before limits: what is refused for its cost takes nothing of them.
  if (call.maxCost !== undefined) await assertMaxCost(deps, call, { ...asking, prices });
  const ended = await limitWork(deps, call, asking.sizes);
  const terms = prices === undefined ? FREE : { priceVersion: prices.revision };
  const paid = prices === undefined ? undefined : await orEnd(ended, () => prepay(deps, call, { ...asking, prices }));
  const corrected = (ending: Ending) => ended?.(ending === "unknown" ? undefined : ending);
  if (paid === undefined) return ended === undefined ? terms : { ...terms, ended: corrected };
  const bothEnded = (ending: Ending) => {
    paid.ended(ending);
    corrected(ending);
  };
  return { ...terms, lease: paid.lease, ended: bothEnded };
}

/** What a request has taken of limits is free again if it is refused after that. */
async function orEnd<T>(ended: ((billed: undefined) => void) | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    ended?.(undefined);
    throw cause;
  }
}
