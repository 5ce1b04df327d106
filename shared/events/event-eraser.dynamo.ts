import type { Eraser, Swept } from "../dynamo/eraser.ts";
import type { WireItem } from "../dynamo/lean-client.ts";
import { EVENTS } from "../dynamo/tables.ts";
import { deliveriesKey, eventsKey, NEW, newPrefix, pointerKey } from "./event-store.dynamo.ts";

/** Whose events, its webhooks, and those of operators, who are told of everybody's. */
export type Traces = { readonly tenant: string; readonly webhooks: readonly string[]; readonly watchers: readonly string[] };

/**
 * Erases what is known of a tenant's events, `writesMax` items at most. What was not handed out yet goes first, or it would be handed out again; an event goes
 * after its deliveries, so that whoever goes on after a kill still finds them. A pointer that nothing stands behind any more is dropped when it is due.
 */
export async function eraseEvents(eraser: Eraser, traces: Traces, writesMax: number): Promise<Swept> {
  const news = await eraser.deletePartition({ table: EVENTS, pk: NEW, prefix: newPrefix(traces.tenant) }, writesMax);
  let { erased } = news;
  if (!news.isDone) return { erased, isDone: false };
  for (const webhook of traces.webhooks) {
    for await (const delivery of eraser.itemsOf({ table: EVENTS, pk: deliveriesKey(webhook) })) {
      if (erased >= writesMax) return { erased, isDone: false };
      erased += await eraseDelivery(eraser, webhook, delivery);
    }
  }
  for await (const event of eraser.itemsOf({ table: EVENTS, pk: eventsKey(traces.tenant) })) {
    if (erased >= writesMax) return { erased, isDone: false };
    erased += await eraseEvent(eraser, traces, event["sk"]?.S ?? "");
  }
  return { erased, isDone: true };
}

/** How many items are there that `eraseEvents` would erase, but for deliveries to those who watch. */
export async function countEvents(eraser: Eraser, { tenant, webhooks }: Traces): Promise<number> {
  const partitions = [
    { table: EVENTS, pk: NEW, prefix: newPrefix(tenant) },
    { table: EVENTS, pk: eventsKey(tenant) },
    ...webhooks.map((webhook) => ({ table: EVENTS, pk: deliveriesKey(webhook) })),
  ];
  let count = 0;
  for (const partition of partitions) for await (const _ of eraser.itemsOf(partition)) count += 1;
  return count;
}

async function eraseEvent(eraser: Eraser, { tenant, watchers }: Traces, id: string): Promise<number> {
  let erased = 0;
  for (const webhook of watchers) {
    // An id may begin as another one does.
    for await (const delivery of eraser.itemsOf({ table: EVENTS, pk: deliveriesKey(webhook), prefix: id }))
      if (delivery["sk"]?.S === id) erased += await eraseDelivery(eraser, webhook, delivery);
  }
  return erased + (await eraser.deleteItems(EVENTS, [{ pk: eventsKey(tenant), sk: id }]));
}

async function eraseDelivery(eraser: Eraser, webhook: string, { sk, du }: WireItem): Promise<number> {
  const event = sk?.S ?? "";
  return eraser.deleteItems(EVENTS, [
    pointerKey({ dueAtMs: Number(du?.N ?? 0), webhook, event }),
    { pk: deliveriesKey(webhook), sk: event },
  ]);
}
