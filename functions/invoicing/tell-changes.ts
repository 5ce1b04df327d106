import { Failure } from "../../shared/base/failure.ts";
import { eachItem } from "../../shared/base/page.ts";
import { Invoice } from "../../shared/billing/invoices/invoice.ts";
import { tellInvoice } from "../../shared/billing/invoices/invoice-events.ts";
import { DAY_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import type { InvoicingDeps } from "./deps.ts";

/** The trail's index lags a write, and gateways' clocks differ: what was told shortly before is looked at again. */
const LOOKED_AT_AGAIN_MS = 5 * MINUTE_MS;
/** A round goes through so many days of changes; after months of being off the next ones go on. */
const DAYS_MAX = 60;

type Span = { readonly toldThrough: string | undefined; readonly nowMs: number; readonly signal: AbortSignal };

/**
 * Tells webhooks what people did to invoices. The gateway does so itself, right after its write; a gateway that died in between is made up for here:
 * the revisions are the outbox, so nothing that was written can go untold. Answers up to when everything was told.
 */
export async function tellChanges(deps: Pick<InvoicingDeps, "trail" | "outbox">, { toldThrough, nowMs, signal }: Span): Promise<string> {
  let toldMs = toldThrough === undefined ? nowMs : Math.min(Date.parse(toldThrough), nowMs);
  for (let days = 0; days < DAYS_MAX && !signal.aborted; days += 1) {
    const toMs = Math.min(toldMs + DAY_MS, nowMs);
    await tellBetween(deps, { from: new Date(toldMs - LOOKED_AT_AGAIN_MS).toISOString(), to: new Date(toMs + 1).toISOString() });
    toldMs = toMs;
    if (toldMs >= nowMs) break;
  }
  return new Date(toldMs).toISOString();
}

async function tellBetween({ trail, outbox }: Pick<InvoicingDeps, "trail" | "outbox">, range: { from: string; to: string }) {
  try {
    for await (const { at, after } of eachItem((page) => trail.across({ ...range, noun: "invoice" }, page))) {
      const invoice = Invoice.safeParse(after);
      if (invoice.success) await tellInvoice(outbox, { body: invoice.data, at });
    }
  } catch (error) {
    // A table that is older than the trail's index: there the gateway alone tells.
    if (!(error instanceof Failure && error.code === "unsupported")) throw error;
  }
}
