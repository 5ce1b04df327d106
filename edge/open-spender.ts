import { createSpender, type Spender, type SpenderSettings } from "../shared/billing/balances/spender.ts";

/** How often what idle tenants hold is looked for. */
const TIDY_MS = 10_000;

export type OpenSpender = {
  readonly spender: Spender;
  /** Gives back what is not spent. */
  readonly close: () => Promise<void>;
};

/** The spender of one process, with the timer that it lives by. */
export function openSpender(settings: SpenderSettings): OpenSpender {
  const spender = createSpender(settings);
  const timer = setInterval(() => void spender.tidy(), TIDY_MS).unref();
  return {
    spender,
    async close() {
      clearInterval(timer);
      await spender.drain();
    },
  };
}
