import type { Guard } from "../harness/fake-dynamo/guards.ts";
import type { Habits } from "./engine.ts";
import { LEANINGS_OF_FUNCTIONS } from "./leanings-of-functions.ts";
import { LEANINGS_OF_REQUESTS } from "./leanings-of-requests.ts";
import type { Weather } from "./store-link.ts";

/** What a plan is drawn towards, so that what a guard keeps apart meets: chance alone would bring it about once in thousands of histories. */
export type Leaning = {
  readonly prepaidShare?: number;
  readonly keyedShare?: number;
  readonly streamShare?: number;
  readonly gatewayCount?: number;
  readonly sealerCount?: number;
  readonly accountantCount?: number;
  readonly invoicerCount?: number;
  readonly sealersAheadMs?: number;
  readonly trafficMs?: number;
  readonly orderCount?: number;
  /** Of those with a key: who asks again while the first attempt is at work. */
  readonly impatientShare?: number;
  /** Of the same: who asks once more when it is over. */
  readonly againShare?: number;
  /** How many ask with the same key at once until they are answered, and how soon again. */
  readonly callersOfKey?: number;
  readonly retryMsMax?: number;
  readonly engine?: Partial<Habits>;
  /** How many new tokens a stream asks for at most. */
  readonly tokensMax?: number;
  /** So far off all clocks of gateways are, ahead or behind. */
  readonly clockErrorMs?: number;
  /** All clocks of gateways are so far behind at first, and from the middle of the traffic on so far ahead. */
  readonly clocksJumpMs?: number;
  readonly gatewayStepsMax?: number;
  readonly startsAfterMs?: number;
  readonly closesLateMs?: number;
  readonly hasDrafts?: boolean;
  /** What operators do to invoices once they are issued; 0 for nothing. */
  readonly deedCount?: number;
  /** Nothing goes wrong while requests come, or at the month's end: where the other is what is looked at, and time is short. */
  readonly isTrafficCalm?: boolean;
  readonly isMonthEndCalm?: boolean;
  /** How late calls of the steps in focus come, and how old a view reads may have that no store makes consistent any more. */
  readonly lateMsMax?: number;
  readonly lagMsMax?: number;
  /** What goes wrong with calls of the steps in focus, as shares of them. */
  readonly focused?: Partial<Weather>;
  /** Only half of the machines have such views, and those so often: where nobody sees what is, nobody gets anywhere, which does no harm. Absent, all have. */
  readonly staleShare?: number;
  /** Functions were off until the day after: only then anything is sealed. */
  readonly areFunctionsLate?: boolean;
  /** The functions' rounds are told to end after so long. */
  readonly roundMsMax?: number;
  /** The weather is fair but for the steps in focus, and nobody dies. */
  readonly isFair?: boolean;
};

/** Where a history looks hard: steps whose calls go wrong above all, and what its plan leans towards. */
export type Focus = { readonly steps: ReadonlySet<string>; readonly leaning: Leaning };

export const NO_FOCUS: Focus = { steps: new Set(), leaning: {} };

/** The first that a guard's name fits. */
const LEANINGS: readonly (readonly [RegExp, Leaning])[] = [...LEANINGS_OF_REQUESTS, ...LEANINGS_OF_FUNCTIONS];

/** Steps that have to go wrong, too, for a guard of another one to matter. */
const BESIDE: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^ledger: put m st='X'/, ["ledger: put m st='P'"]],
  [/^ledger: get m/, ["ledger: SET st='S' WHERE e, st", "ledger: put m st='P'"]],
  [/^ledger: SET st='X' WHERE e, st IF st/, ["ledger: SET st='S' WHERE e, st"]],
  [/^balances: get balance/, ["balances: put balance"]],
  [/^control: query credit r/, ["control: put credit r"]],
  [/^balances: REMOVE/, ["control: put invoice r"]],
  [
    /^control: query (invoice|credit-note|replacement) /,
    ["control: put invoice r", "control: put credit-note r", "control: put replacement r"],
  ],
];

export function stepOf(guard: Guard): string {
  return guard.slice(0, guard.lastIndexOf(" IF "));
}

export function focusOn(guards: readonly Guard[]): Focus {
  const [first = ""] = guards;
  const beside = BESIDE.flatMap(([name, steps]) => (name.test(first) ? steps : []));
  // What is wrong with a read that sees what was is that it comes back in time.
  const written = guards.filter((guard) => !guard.endsWith(" IF ConsistentRead"));
  return { steps: new Set([...written.map(stepOf), ...beside]), leaning: LEANINGS.find(([name]) => name.test(first))?.[1] ?? {} };
}

/** The calls of one step go wrong, in a plan that leans nowhere. */
export function focusOnStep(step: string): Focus {
  return { steps: new Set([step]), leaning: {} };
}
