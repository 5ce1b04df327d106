import type { Completeness } from "./sealed.ts";

/** Hours that something is still to be done for: closed for the first time, read again a day later, or searched for Idempotency-Keys to forget. */
export type Agenda = "seal" | "audit" | "forget";

/** Where sealing stands. */
export type Frontier = {
  /** The installation's first hour: nothing was metered before. */
  readonly firstHour: string;
  /** Every hour before this one has been put on the agenda. */
  readonly nextHour: string;
};

/** What is published of an hour; `changes` counts what its buckets have gone through, which only ever grows. */
export type PublishedHour = Completeness & { readonly hour: string; readonly changes: number };

/** What sealers leave for each other and for readers. Every step may be done twice and by two at once. */
export type SealingStore = {
  readonly frontier: () => Promise<Frontier | undefined>;
  /** Puts the first frontier, or moves it on; never back. */
  readonly begin: (firstHour: string) => Promise<void>;
  readonly moveOn: (nextHour: string) => Promise<void>;
  readonly addToAgenda: (agenda: Agenda, hour: string) => Promise<void>;
  /** The oldest hours up to and with `lastHour`. */
  readonly agenda: (agenda: Agenda, lastHour: string, limit: number) => Promise<string[]>;
  readonly takeOffAgenda: (agenda: Agenda, hour: string) => Promise<void>;
  /** Says how far an hour is; what counts fewer changes than what has been said is passed over. */
  readonly publish: (hour: PublishedHour) => Promise<void>;
  /** Hours of a month, `2026-11`, by name. */
  readonly published: (month: string) => Promise<PublishedHour[]>;
};
