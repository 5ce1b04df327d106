import { createRequire } from "node:module";
import { createTrail } from "../../shared/audit/trail.dynamo.ts";
import { credentialsOf } from "../../shared/aws/credentials.ts";
import { systemClock } from "../../shared/base/clock.ts";
import { createDocumentStore } from "../../shared/billing/invoices/document-store.s3.ts";
import type { DocumentStore } from "../../shared/billing/invoices/document-store.ts";
import { createInvoiceBookStore } from "../../shared/billing/invoices/invoice-book-store.dynamo.ts";
import { creditPdf, invoicePdf } from "../../shared/billing/invoices/invoice-document.pdf.ts";
import {
  createCreditNoteStore,
  createInvoiceStore,
  createReplacementStore,
  createSellerStore,
} from "../../shared/billing/invoices/invoice-store.dynamo.ts";
import { createInvoicingProgressStore } from "../../shared/billing/invoices/invoicing-progress-store.dynamo.ts";
import { createPriceBookStore } from "../../shared/billing/prices/price-book-store.dynamo.ts";
import { createLeanDynamo, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createPatientLean } from "../../shared/dynamo/patient-lean.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { type Log, logJson } from "../../shared/log/log.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { bySoundTime } from "../../shared/schedule/sound-time.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createRowReader } from "../../shared/usage/ledger/row-reader.dynamo.ts";
import type { ShardSchedule } from "../../shared/usage/row.ts";
import { createSealReader, createTotalReader } from "../../shared/usage/seals/seal-reader.ts";
import { createSealStore } from "../../shared/usage/seals/seal-store.dynamo.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";
import type { InvoicingConfig } from "./config.ts";
import type { InvoicingDeps } from "./deps.ts";
import { createRound } from "./round.ts";

export type InvoicingSettings = {
  /** One that tries again, since nobody waits. */
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  readonly schedule: ShardSchedule;
  readonly documents: DocumentStore;
  readonly log: Log;
};

/** Found by a name that package.json explains: the repository's says in which package they are, the bundle's that they lie beside it. */
const fontOf = (file: string) => createRequire(import.meta.url).resolve(`#fonts/${file}`);
const FONTS = { regular: fontOf("DejaVuSansCondensed.ttf"), bold: fontOf("DejaVuSansCondensed-Bold.ttf") };

/** Invoicing over a store: tests and simulations bring their own. */
export function composeDeps({ lean, tablePrefix, schedule, documents, log }: InvoicingSettings): InvoicingDeps {
  const source = { lean, tablePrefix };
  const totals = createTotalStore(source);
  const seals = createSealReader({ seals: createSealStore(source), sealing: createSealingStore(source), totals, schedule });
  return {
    log,
    tenants: createTenantStore(source),
    books: createPriceBookStore(source),
    sellers: createSellerStore(source),
    invoices: createInvoiceStore(source),
    creditNotes: createCreditNoteStore(source),
    replacements: createReplacementStore(source),
    numbers: createInvoiceBookStore(source),
    documents,
    progress: createInvoicingProgressStore(source),
    outbox: createEventStore(source),
    trail: createTrail(source),
    seals,
    totals: createTotalReader(totals),
    rows: createRowReader({ ...source, seals }),
    pdf: { invoice: (document) => invoicePdf(document, FONTS), credit: (document) => creditPdf(document, FONTS) },
  };
}

/** Rounds of invoicing: none dates a document, closes a month or is told of changes by a clock that is off. */
export function composeRound({ lean, tablePrefix, log }: InvoicingSettings, deps: InvoicingDeps): Round {
  return bySoundTime(createRound(deps), { lean, log, tablePrefix });
}

/** Builds what invoicing does from its settings: the same for a timer and for Lambda. */
export function compose(config: InvoicingConfig) {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_SHARDS: schedule } = config;
  const place = { region, endpoint: config.WEIR_DYNAMO_ENDPOINT, credentials: credentialsOf(config) };
  const lean = createPatientLean(createLeanDynamo(place, systemClock));
  const documents = createDocumentStore({ region, bucket: config.WEIR_RECORDS_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  const settings = { lean, tablePrefix, schedule, documents, log: logJson };
  return {
    round: composeRound(settings, composeDeps(settings)),
    close: async () => {
      await lean.close();
      documents.close();
    },
  };
}
