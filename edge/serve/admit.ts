import type { UsageRow } from "../../shared/usage/row.ts";
import type { Target } from "../catalog.ts";
import type { Deps } from "../deps.ts";
import { limitWork } from "./limit-work.ts";
import type { Call } from "./serve.ts";

/** How much work a request is at most, known once its body is read and its target chosen, before any of it is done. */
export type Sizes = {
  readonly task: string;
  readonly inputs: number;
  /** Texts that are generated for it; 0 where none are. */
  readonly choices: number;
  /** Tokens of all choices together; infinite where only a foreign engine knows. */
  readonly outputTokensMax: number;
};

/** Of tasks that generate nothing. */
export const READ_ONLY = { choices: 0, outputTokensMax: 0 } as const satisfies Partial<Sizes>;

export type Asking = {
  readonly target: Target;
  /** Computed when it is first asked for: most requests are admitted without. */
  readonly sizes: () => Sizes;
};

/** What a request's row says that it used. */
export type Billed = Pick<UsageRow, "outcome" | "servedVersion" | "tier" | "inputs" | "inputTokens" | "outputTokens" | "computeMs">;

/** On which terms a request is served, fixed before its work. */
export type Terms = {
  /** 0: there is no price book. */
  readonly priceVersion: number;
  /** The lease on a prepaid balance that it draws from; such requests are reserved before their work. */
  readonly lease?: string;
  /** Told once how it ended: what is billed, or undefined if nothing is. Estimates that were taken before are corrected by it. */
  readonly ended?: (billed: Billed | undefined) => void;
};

const FREE: Terms = { priceVersion: 0 };

/** Decides whether and on which terms a request may be worked on: what it costs, and what it takes of budgets and limits. */
export async function admit(deps: Deps, call: Call, { sizes }: Asking): Promise<Terms> {
  const ended = await limitWork(deps, call, sizes);
  return ended === undefined ? FREE : { ...FREE, ended };
}
