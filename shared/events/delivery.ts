import * as z from "zod";
import type { Page, PageQuery } from "../base/page.ts";
import { EventType, type Outbox, WeirEvent } from "./event.ts";

/** Waits after the first, second… failed attempt; the last one is followed by the dead letters. Three days in all. */
export const RETRY_WAITS_MS = [5_000, 60_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 72_000_000, 86_400_000] as const;
export const ATTEMPTS_MAX = RETRY_WAITS_MS.length + 1;
/** Each wait is between this much shorter and longer, so that what failed together does not come back together. */
export const JITTER = 0.2;
/** An attempt belongs to one deliverer for so long; longer than any attempt takes. Whoever dies in it is followed by another after that. */
export const CLAIM_MS = 60_000;
/** Delivered and dead ones can be looked at and sent again for this long. */
export const KEPT_MS = 30 * 86_400_000;

export const DeliveryState = z.enum(["pending", "delivered", "dead"]);
export type DeliveryState = z.infer<typeof DeliveryState>;

/** One event on its way to one webhook. */
export const Delivery = z.object({
  webhook: z.string(),
  event: WeirEvent,
  state: DeliveryState,
  /** Begun so far, since it was made or last sent again by hand. */
  attempts: z.int().min(0),
  /** When the next attempt is due; while one is under way, when another may follow. */
  dueAtMs: z.int(),
  /** What became of the last attempt, such as `answered 500`. */
  outcome: z.string(),
});
export type Delivery = Readonly<z.infer<typeof Delivery>>;

/** A delivery as its webhook's owner sees it. */
export const DeliveryReport = z
  .object({
    event: z.string().meta({ description: "The event's id, and so the header webhook-id" }),
    type: EventType,
    tenant: z.string(),
    at: z.iso.datetime(),
    state: DeliveryState.meta({ description: "`dead` once every attempt has failed" }),
    attempts: z.int(),
    nextAttemptAt: z.iso.datetime().nullable(),
    outcome: z.string().meta({ description: "What became of the last attempt" }),
  })
  .meta({ id: "Delivery" });
export type DeliveryReport = z.infer<typeof DeliveryReport>;

export function reportDelivery({ event, state, attempts, dueAtMs, outcome }: Delivery): DeliveryReport {
  const nextAttemptAt = state === "pending" ? new Date(dueAtMs).toISOString() : null;
  return { event: event.id, type: event.type, tenant: event.tenant, at: event.at, state, attempts, nextAttemptAt, outcome };
}

/** Says that a delivery may be due; the delivery itself knows. One that leads nowhere is thrown away. */
export type Pointer = { readonly dueAtMs: number; readonly webhook: string; readonly event: string };

export type DeliveryStore = Outbox & {
  /** Events whose deliveries have not been made yet. */
  readonly newEvents: (limit: number) => Promise<readonly WeirEvent[]>;
  /** Makes an event's deliveries, once: another try after a crash makes those that are missing. */
  readonly fanOut: (event: WeirEvent, webhooks: readonly string[]) => Promise<void>;
  /** Makes one delivery, for a test of a webhook. */
  readonly deliver: (event: WeirEvent, webhook: string) => Promise<void>;
  readonly due: (nowMs: number, limit: number) => Promise<readonly Pointer[]>;
  readonly find: (webhook: string, event: string) => Promise<Delivery | undefined>;
  readonly list: (webhook: string, page: PageQuery) => Promise<Page<Delivery>>;
  /**
   * Moves a delivery on if it still is what it was: state, attempts and due time. False if somebody was faster.
   * A pointer to its next due time is there before it moves, so that it is never forgotten.
   */
  readonly move: (before: Delivery, after: Delivery) => Promise<boolean>;
  readonly dropPointer: (pointer: Pointer) => Promise<void>;
  /** Forgets a delivery, once it has been kept for long enough. */
  readonly forget: (delivery: Delivery) => Promise<void>;
};

/** When the attempt after the n-th is due; undefined when there is none. `random` is in [0, 1). */
export function nextAttemptAtMs(attempts: number, nowMs: number, random: number): number | undefined {
  const waitMs = RETRY_WAITS_MS[attempts - 1];
  return waitMs === undefined ? undefined : nowMs + Math.round(waitMs * (1 - JITTER + 2 * JITTER * random));
}
