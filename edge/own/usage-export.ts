import { Hono } from "hono";
import * as z from "zod";
import { Month, rangeOfMonth } from "../../shared/billing/month.ts";
import { EXPORT_FORMATS, ExportedRow, ExportedSeal, type ExportFormat, exportText } from "../../shared/usage/export.ts";
import type { Completeness, RowReader, SealReader } from "../../shared/usage/seals/sealed.ts";
import type { Deps } from "../deps.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { answer, checked, tell } from "../http.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathGroup } from "../openapi.ts";
import { tenantFor } from "./usage.ts";

/** What is sealed, as exports and invoices read it. */
export type Sealed = { readonly seals: SealReader; readonly rows: RowReader };

type ExportDeps = { readonly sealed: Sealed; readonly control: Pick<Deps["control"], "tenants"> };

const SealsQuery = z.object({
  month: Month,
  tenant: z.string().optional().meta({ description: "For operators: whose usage; else the key's own tenant" }),
});
const ExportQuery = SealsQuery.extend({ format: z.enum(EXPORT_FORMATS).default("ndjson") });

const CONTENT_TYPES: Readonly<Record<ExportFormat, string>> = { ndjson: "application/x-ndjson", csv: "text/csv; charset=utf-8" };
/** Lines leave together: a write of the socket for each would cost more than the line. */
const CHUNK_CHARACTERS = 64 * 1024;

/** `/v1/usage/export` and `/v1/usage/seals`: a month's sealed rows and what they were sealed with, streamed. */
export function usageExportRoutes({ sealed, control }: ExportDeps) {
  const asked = async (c: EdgeContext, { tenant, month }: z.infer<typeof SealsQuery>) => {
    const whose = await tenantFor({ control }, c.get("principal"), tenant);
    const range = rangeOfMonth(month);
    const completeness = await sealed.seals.completeness(range);
    tell(c, "Weir-Sealed", completenessText(completeness));
    return { tenant: whose, range };
  };
  return new Hono<EdgeEnv>()
    .use(requireScope("usage"))
    .get("/export", async (c) => {
      const query = checked(c.req.query(), ExportQuery);
      const { tenant, range } = await asked(c, query);
      const text = exportText(sealed.rows.rows(tenant, range), query.format);
      return answer(c, streamOf(text), { contentType: CONTENT_TYPES[query.format] });
    })
    .get("/seals", async (c) => {
      const { tenant, range } = await asked(c, checked(c.req.query(), SealsQuery));
      return answer(c, streamOf(lines(sealed.seals.ofTenant(tenant, range))), { contentType: CONTENT_TYPES.ndjson });
    });
}

/** `43200 of 43200`: how much of the month is in an export. */
function completenessText({ sealed, of }: Completeness): string {
  return `${sealed} of ${of}`;
}

async function* lines(items: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const item of items) yield `${JSON.stringify(item)}\n`;
}

/** Asks for the next lines only when the caller takes them; ends in the middle, visibly, when what is read is not what was sealed. */
function streamOf(text: AsyncIterable<string>): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks(text)) as ReadableStream<Uint8Array>; // the chunks are Buffers
}

async function* chunks(text: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let waiting = "";
  for await (const line of text) {
    waiting += line;
    if (waiting.length < CHUNK_CHARACTERS) continue;
    yield Buffer.from(waiting);
    waiting = "";
  }
  if (waiting !== "") yield Buffer.from(waiting);
}

export const usageExportPaths: PathGroup = {
  name: "usage export",
  summary: "A month's sealed rows, and their seals",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/usage/export",
      summary: "Streams a month's billed rows as far as they are sealed: JSON lines, or CSV with the same fields in snake case",
      scope: "usage",
      query: ExportQuery,
      answer: {
        status: 200,
        summary: "One row a line; `Weir-Sealed` says how complete",
        schema: ExportedRow,
        contentType: CONTENT_TYPES.ndjson,
      },
      csv: "A head of names, then one row a line, as `format=csv` asks",
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/v1/usage/seals",
      summary: "Streams the tenant's part of each of a month's seals: digests, sums and counts per second",
      scope: "usage",
      query: SealsQuery,
      answer: { status: 200, summary: "One seal a line", schema: ExportedSeal, contentType: CONTENT_TYPES.ndjson },
      refusals: ["not_found"],
    },
  ],
};
