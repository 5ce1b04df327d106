import { createRound } from "../../../functions/invoicing/round.ts";
import { monthAt, rangeOfMonth } from "../../../shared/billing/month.ts";
import { createRowReader } from "../../../shared/usage/ledger/row-reader.dynamo.ts";
import { DAY_MS, HOUR_MS } from "../../../shared/usage/period.ts";
import { createInvoicingWorld } from "../../harness/invoicing.ts";
import { roundsAt } from "../../harness/sealing.ts";
import { generateMonth } from "./generated-month.ts";

/** A process that invoices a month of so many rows, row by row, and says what memory it took at most. */
const rows = Number(process.argv[2]);
const MIB = 1024 ** 2;
const SAMPLED_EVERY_MS = 20;
const month = monthAt(Date.UTC(2026, 11, 1));
const range = rangeOfMonth(month);

const world = createInvoicingWorld(range.fromMs);
await world.setSeller();
await world.makeTenant("acme", {});
const rate = {
  percentile: { percentile: 95, silentSeconds: "count" as const, price: "12" },
  peak: { of: "second" as const, price: "0.0001" },
};
await world.setPrices({
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2026-12-01T00:00:00Z",
  entries: [
    // A minimum is what wants rows rather than sums.
    { perRequest: { price: "0.00001" }, per1000InputTokens: { price: "0.02" }, minimumPerRequest: "0.0005" },
    { model: "minilm", perRequest: { price: "0.0001" }, perSecond: rate },
  ],
});
const { lean, seals } = generateMonth({ tenant: "acme", rows, ...range });
const round = createRound({ ...world.deps, seals, rows: createRowReader({ lean, tablePrefix: "weir", seals }) });

let heapBytes = 0;
const sampler = setInterval(() => {
  heapBytes = Math.max(heapBytes, process.memoryUsage().heapUsed);
}, SAMPLED_EVERY_MS);
const startedAtMs = performance.now();
await roundsAt(round, range.toMs + DAY_MS + HOUR_MS);
clearInterval(sampler);

const invoice = (await world.deps.invoices.current(`acme-${month}`))?.body;
process.send?.({
  seconds: (performance.now() - startedAtMs) / 1_000,
  heapMib: heapBytes / MIB,
  rssMib: process.resourceUsage().maxRSS / 1024,
  state: invoice?.state,
  totalMinor: invoice?.totals.totalMinor,
});
