import { createHash } from "node:crypto";
import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { InvoiceDocument, totalsOf } from "../../shared/billing/invoices/invoice-document.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { runCommand } from "../harness/command.ts";
import { type GatewayOverWorld, gatewayOver } from "../harness/gateway-over-world.ts";
import { createInvoicingWorld } from "../harness/invoicing.ts";
import { rowAt } from "../harness/sealing.ts";

const FROM = Date.UTC(2027, 1, 28, 21);
const TO = Date.UTC(2027, 2, 1);
const MIB = 1024 ** 2;
const BOOK: PriceBook = {
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2027-02-01T00:00:00Z",
  entries: [{ perRequest: { price: "0.5" }, per1000InputTokens: { price: "1" } }],
};

let gateway: GatewayOverWorld;
let root: string;
let place: string;
let made = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "weir-hostile-"));
  const world = createInvoicingWorld(FROM);
  await world.setPrices(BOOK);
  await world.setSeller();
  await world.makeTenant("acme", {});
  for (const minute of [0, 0, 0, 7, 7, 90]) await world.settle(rowAt(FROM + minute * MINUTE_MS, { tenant: "acme" }));
  await world.sealAt(TO + 26 * HOUR_MS);
  await world.invoiceAt(TO + 26 * HOUR_MS);
  gateway = await gatewayOver(world);
  expect((await weir("export", "acme-2027-02", join(root, "sound"))).code).toBe(0);
});
afterAll(async () => {
  await gateway.close();
  await rm(root, { recursive: true });
});
beforeEach(() => {
  made += 1;
  place = join(root, `${made}`);
  cpSync(join(root, "sound"), place, { recursive: true });
});

const weir = (...words: string[]) => runCommand(["invoices", ...words], { WEIR_URL: gateway.url, WEIR_KEY: gateway.operatorKey });

const verify = () => weir("verify", place);
const reRate = () => weir("re-rate", place, "--prices", join(place, "prices.json"));
const edit = (file: string, change: (text: string) => string) =>
  writeFileSync(join(place, file), change(readFileSync(join(place, file), "utf8")));
const editLines = (file: string, change: (lines: string[]) => string[]) =>
  edit(file, (text) => `${change(text.trimEnd().split("\n")).join("\n")}\n`);
const at = (lines: readonly string[], number: number) => lines.at(number) ?? "";

test("a sound export verifies, and rated again by its own prices it comes to the same", async () => {
  expect(await verify()).toMatchObject({ code: 0, err: "" });
  expect((await reRate()).out).toMatch(/^total with tax +3\.62 +3\.62 +0\.00$/m);
});

const HOSTILE: readonly [name: string, spoil: () => void, difference: string][] = [
  [
    "a row is dropped",
    () => editLines("rows.ndjson", ([, ...rest]) => rest),
    "2027-02-28T21:00#0, after 2 of its 3 rows: rows are missing; the next one",
  ],
  [
    "the last row is dropped",
    () => editLines("rows.ndjson", (lines) => lines.slice(0, -1)),
    "2027-02-28T22:30#0, after 0 of its 1 rows: the rows end",
  ],
  ["a row is doubled", () => editLines("rows.ndjson", (lines) => [at(lines, 0), ...lines]), "comes twice"],
  [
    "a minute's last row is doubled",
    () => editLines("rows.ndjson", (lines) => lines.toSpliced(3, 0, at(lines, 2))),
    "is of 2027-02-28T21:00: it comes twice",
  ],
  ["the last row is doubled", () => editLines("rows.ndjson", (lines) => [...lines, at(lines, -1)]), "no seal speaks of it"],
  ["two rows change places", () => editLines("rows.ndjson", ([a = "", b = "", ...rest]) => [b, a, ...rest]), " comes after "],
  [
    "a row is edited",
    () => edit("rows.ndjson", (text) => text.replace('"inputTokens":7', '"inputTokens":6')),
    "21:00#0: its rows are not those that were sealed",
  ],
  [
    "a row is another tenant's",
    () => edit("rows.ndjson", (text) => text.replace('"tenant":"acme"', '"tenant":"globex"')),
    "is another tenant's",
  ],
  [
    "a row has no id",
    () => edit("rows.ndjson", (text) => text.replace(/"requestId":"[^"]*"/, '"requestId":"1 OR 1"')),
    "has no request's id",
  ],
  [
    "a row has no count",
    () => edit("rows.ndjson", (text) => text.replace('"inputTokens":7', '"inputTokens":-7')),
    "rows.ndjson line 1 is not of an export: inputTokens",
  ],
  [
    "a line is no JSON",
    () => editLines("rows.ndjson", ([a = "", , ...rest]) => [a, "{", ...rest]),
    "rows.ndjson line 2 is not of an export",
  ],
  ["a seal is dropped", () => editLines("seals.ndjson", ([, ...rest]) => rest), "is of 2027-02-28T21:00"],
  ["a seal is doubled", () => editLines("seals.ndjson", (lines) => [at(lines, 0), ...lines]), "each stands once, in its place"],
  [
    "a seal is of another month",
    () => edit("seals.ndjson", (text) => text.replace("2027-02-28T21:00", "2027-01-28T21:00")),
    "is not of 2027-02",
  ],
  [
    "a seal's digest is edited",
    () => edit("seals.ndjson", (text) => text.replace(/"digest":"[0-9a-f]{4}/, '"digest":"beef')),
    "not those that were sealed",
  ],
  [
    "a seal's sums are edited",
    () => edit("seals.ndjson", (text) => text.replace('"inputTokens":21', '"inputTokens":20')),
    "its sums are not what its rows come to",
  ],
  [
    "a seal and its row are gone",
    () => {
      editLines("seals.ndjson", (lines) => lines.slice(0, -1));
      editLines("rows.ndjson", (lines) => lines.slice(0, -1));
    },
    "buckets: 2 in the export, 3 in the invoice",
  ],
  ["prices are in another currency", () => edit("prices.json", (text) => text.replace('"EUR"', '"USD"')), "is in USD, the invoice in EUR"],
  [
    "prices go back in time",
    () =>
      edit("prices.json", (text) => {
        const prices = JSON.parse(text);
        return JSON.stringify({ ...prices, revisions: [...prices.revisions, ...prices.revisions] });
      }),
    "does not come after it",
  ],
  [
    "there are no prices",
    () => edit("prices.json", (text) => JSON.stringify({ ...JSON.parse(text), revisions: [] })),
    "there are no prices",
  ],
  ["the rows are not there", () => writeFileSync(join(place, "rows.ndjson"), ""), "the rows end"],
  ["a file is one endless line", () => writeFileSync(join(place, "rows.ndjson"), "x".repeat(9 * MIB)), "has a line of more than"],
  ["a document is huge", () => truncateSync(join(place, "invoice.json"), 65 * MIB), "has more than"],
  ["a document is no JSON", () => writeFileSync(join(place, "invoice.json"), "%PDF-1.7"), "invoice.json cannot be read as JSON"],
  [
    "the state is of something else",
    () => writeFileSync(join(place, "invoice-state.json"), '{"state":"paid"}'),
    "invoice-state.json is not of an export",
  ],
];

test.each(HOSTILE)("where %s, verifying and rating again end with the first difference and no figure", async (_, spoil, difference) => {
  spoil();

  const [verified, rated] = [await verify(), await reRate()];

  expect([verified.code, rated.code, rated.out]).toEqual([1, 1, ""]);
  expect(verified.err).toContain(difference);
  expect(rated.err).toContain(difference);
  expect(`${verified.err}${rated.err}`.trimEnd().split("\n")).toHaveLength(2);
});

/** Changes the document and everything that vouches for it but what it follows from. */
function forge(change: (document: InvoiceDocument) => Partial<InvoiceDocument>) {
  const document = InvoiceDocument.parse(JSON.parse(readFileSync(join(place, "invoice.json"), "utf8")));
  const changed = { ...document, ...change(document) };
  const totals = totalsOf(changed.lines, changed.taxes);
  const text = JSON.stringify({ ...changed, totals });
  writeFileSync(join(place, "invoice.json"), text);
  const sha256 = createHash("sha256").update(text).digest("hex");
  edit("invoice-state.json", (state) => {
    const head = JSON.parse(state);
    const { issue } = head;
    return JSON.stringify({
      ...head,
      totals,
      issue: { ...issue, documents: { ...issue.documents, json: { ...issue.documents.json, sha256 } } },
    });
  });
}

test.each<[string, () => void, string]>([
  ["a line stands twice", () => forge(({ lines }) => ({ lines: lines.flatMap((line) => [line, line]) })), "in the invoice only"],
  [
    "nobody made an adjustment",
    () => forge(({ lines }) => ({ lines: lines.map((line) => ({ ...line, component: "adjustment" as const })) })),
    "from the rows only",
  ],
  [
    "a line's unit is another",
    () => forge(({ lines }) => ({ lines: lines.map((line) => ({ ...line, unit: "wish" })) })),
    "in the invoice only",
  ],
  ["the tax is another", () => forge(({ taxes }) => ({ taxes: taxes.map((tax) => ({ ...tax, taxMinor: "1" })) })), "and not"],
  ["it is another invoice", () => forge(() => ({ id: "globex-2027-02" })), "its id is globex-2027-02, not acme-2027-02"],
  ["the PDF was changed", () => edit("invoice.pdf", (text) => `${text} `), "invoice.pdf: its digest is"],
  ["the CSV was changed", () => edit("invoice.csv", (text) => `${text} `), "invoice.csv: its digest is"],
])("a forged document is found: %s", async (_, spoil, difference) => {
  spoil();

  const verified = await verify();

  expect(verified.code).toBe(1);
  expect(verified.err).toContain(difference);
});
