import * as z from "zod";

/** What happens that somebody may want to be told of. */
export const EventType = z
  .enum([
    "budget.threshold_reached",
    "balance.low",
    "balance.exhausted",
    "invoice.issued",
    "invoice.paid",
    "invoice.voided",
    "credit_note.issued",
    "webhook.test",
  ])
  .meta({ description: "What happened; what each says beside its tenant stands in the README. Each is told once per change." });
export type EventType = z.infer<typeof EventType>;

export const EVENT_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** One thing that happened. Its id follows from what happened, such as `budget-acme-2026-11-80`, so that telling it twice is telling it once. */
export const WeirEvent = z
  .object({
    id: z.string().regex(EVENT_ID_PATTERN),
    type: EventType,
    tenant: z.string().meta({ description: "Whom it is about" }),
    at: z.iso.datetime().meta({ description: "When it was found" }),
    data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .meta({ id: "Event" });
export type WeirEvent = Readonly<z.infer<typeof WeirEvent>>;

/** Where events are handed in; deliveries to webhooks follow from there. */
export type Outbox = {
  /** Resolves once it is durable. The same id again changes nothing, whatever the rest says. Fails with `unavailable`. */
  readonly emit: (event: WeirEvent) => Promise<void>;
};
